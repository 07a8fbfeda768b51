"""A zip with one folder of images a class, perhaps inside one folder a task: `alphabet/letter/1.png`.

Every image comes out in one size: the commonest in the archive, brought within 28 to 84 pixels a side (the
sizes of Omniglot's and miniImageNet's customary episodes). Gray only if every image is. A file above the class
folders that is no image (a README, a licence) is left out.
"""

import io
import zipfile
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from services.datasets import images, labels
from services.datasets.examples import Examples
from services.datasets.limits import DatasetLimits
from services.datasets.readers.archive import open_archive, read_member
from services.datasets.upload import Upload
from services.errors import Invalid, TooLarge

Array = np.ndarray[Any, Any]

SMALLEST_SIDE = 28
LARGEST_SIDE = 84
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic")
_CHAFF = ("__MACOSX", "Thumbs.db", "desktop.ini")  # what file managers leave behind, besides hidden files


class _Picture(NamedTuple):
    member: zipfile.ZipInfo
    folders: tuple[str, ...]


def read_image_folders(upload: Upload, limits: DatasetLimits) -> Examples:
    """Every image with its folder as class, and the folder above as task. Raises Invalid, TooLarge."""
    with open_archive(upload, limits, "zip file") as archive:
        pictures = _pictures(archive, limits)
        shape = _common_shape(archive, pictures, limits)
        needed = len(pictures) * int(np.prod(shape))
        if needed > limits.unpacked_bytes:
            raise TooLarge(f"the images take {needed} bytes; at most {limits.unpacked_bytes} are kept")
        inputs = np.empty((len(pictures), *shape), dtype=np.uint8)
        for row, picture in enumerate(pictures):
            inputs[row] = _decode(archive, picture, shape, limits)
    classes = _labels(["/".join(picture.folders) for picture in pictures])
    nested = len(pictures[0].folders) == 2
    tasks = _labels([picture.folders[0] for picture in pictures]) if nested else None
    return Examples(inputs, classes, tasks)


def _pictures(archive: zipfile.ZipFile, limits: DatasetLimits) -> list[_Picture]:
    members = sorted(
        (member for member in archive.infolist() if not (member.is_dir() or _is_chaff(member.filename))),
        key=lambda member: member.filename,
    )
    if not members:
        raise Invalid("there are no images in the archive")
    if len(members) > limits.examples:
        raise TooLarge(f"{len(members)} files; at most {limits.examples} are taken")
    for member in members:
        if member.file_size > limits.image_bytes:
            raise TooLarge(f"{member.filename!r} is larger than {limits.image_bytes} bytes, one image's most")
    paths = [_folders(member) for member in members]
    deepest = max(map(len, paths))
    stray = {
        member.filename
        for member, path in zip(members, paths, strict=True)
        if len(path) < deepest and not _may_be_image(archive, member, limits)
    }
    members = [member for member in members if member.filename not in stray]
    paths = [_folders(member) for member in members]
    depth = len(paths[0])
    for member, path in zip(members, paths, strict=True):
        if len(path) != depth:
            raise Invalid(
                f"{member.filename!r} lies {len(path)} folders deep and {members[0].filename!r} {depth}: "
                "put every image in its class's folder, and all of these at one depth"
            )
    while depth > 1 and len({path[0] for path in paths}) == 1:
        paths = [path[1:] for path in paths]  # one folder around everything says nothing
        depth -= 1
    if depth not in (1, 2):
        raise Invalid(
            "put every image in its class's folder, and these in one folder a task at most: "
            f"{members[0].filename!r} lies {depth} folders deep"
        )
    return [_Picture(member, path) for member, path in zip(members, paths, strict=True)]


def _folders(member: zipfile.ZipInfo) -> tuple[str, ...]:
    return tuple(part for part in member.filename.split("/")[:-1] if part != ".")


def _may_be_image(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limits: DatasetLimits) -> bool:
    """False for a README beside the folders: neither its name nor its bytes are an image's. Never drops one."""
    if member.filename.lower().endswith(_IMAGE_SUFFIXES):
        return True
    try:
        images.read_header(io.BytesIO(read_member(archive, member)), limits.image_pixels)
    except Invalid:
        return False
    return True


def _is_chaff(name: str) -> bool:
    parts = name.split("/")
    return any(part in _CHAFF or (part.startswith(".") and part not in (".", "..")) for part in parts)


def _common_shape(
    archive: zipfile.ZipFile, pictures: list[_Picture], limits: DatasetLimits
) -> tuple[int, int, int]:
    sizes: Counter[tuple[int, int]] = Counter()
    gray = True
    for picture in pictures:
        data = read_member(archive, picture.member)
        try:
            header = images.read_header(io.BytesIO(data), limits.image_pixels)
        except Invalid as error:
            raise _about(picture, error) from error
        sizes[header.height, header.width] += 1
        gray = gray and header.is_gray
    pixels = sum(height * width * count for (height, width), count in sizes.items())
    if pixels > limits.archive_pixels:
        raise TooLarge(f"the images have {pixels} pixels; at most {limits.archive_pixels} are decoded")
    most = max(sizes.values())
    height, width = max(size for size, count in sizes.items() if count == most)
    scale = min(1.0, LARGEST_SIDE / max(height, width))
    scale = max(scale, SMALLEST_SIDE / max(height, width))
    height, width = (min(max(round(side * scale), SMALLEST_SIDE), LARGEST_SIDE) for side in (height, width))
    return height, width, 1 if gray else 3


def _decode(
    archive: zipfile.ZipFile, picture: _Picture, shape: tuple[int, int, int], limits: DatasetLimits
) -> Array:
    try:
        image = images.decode_image(read_member(archive, picture.member), limits.image_pixels)
    except Invalid as error:
        raise _about(picture, error) from error
    return image if image.shape == shape else images.to_bytes(images.fit(image, shape))


def _about(picture: _Picture, error: Invalid) -> Invalid:
    return Invalid(f"{picture.member.filename!r} in the archive: {error.detail}")


def _labels(names: list[str]) -> labels.Labels:
    distinct = sorted(set(names))
    code = {name: index for index, name in enumerate(distinct)}
    return labels.from_names(np.array([code[name] for name in names], dtype=np.int64), distinct)
