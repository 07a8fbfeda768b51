"""Images as the command line gives them: one file, or a folder or zip of them, the classes as folders.

Knows names and bytes; what an image holds is for the service to say.
"""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from innerloop import InvalidInput

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_CHAFF = "__MACOSX"  # what a Mac leaves in a zip, besides hidden files


class ImageFile(NamedTuple):
    """`path` is where it lies below the folder or in the zip; `content` a file to read, or its bytes."""

    path: PurePosixPath
    content: Path | bytes


def holds_images(path: Path) -> bool:
    """Whether this is to be read here, and not as numbers."""
    return path.is_dir() or path.suffix.lower() in (".zip", *SUFFIXES)


def read_images(path: Path) -> list[ImageFile]:
    """Every image, in the order of their names. Raises InvalidInput where there are none."""
    found = sorted(_files(path))
    if not found:
        raise InvalidInput(f"{path.name} holds no images ({', '.join(SUFFIXES)})")
    return found


def labels_of(images: list[ImageFile], source: Path) -> list[str]:
    """Each image's class: the name of its folder, with the folders above it where two have the same name.

    Raises InvalidInput for an image that lies in no folder.
    """
    folders = [image.path.parent for image in images]
    for image, folder in zip(images, folders, strict=True):
        if not folder.name:
            raise InvalidInput(
                f"{source.name}: {image.path} lies in no class folder (CLASS/{image.path.name})"
            )
    ambiguous = len({folder.name for folder in folders}) < len(set(folders))
    return [str(folder) if ambiguous else folder.name for folder in folders]


def zipped(folder: Path) -> bytes:
    """A folder's images as a zip of them, the same bytes for the same images. Raises InvalidInput for none."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:  # images are compressed as they are
        for image in read_images(folder):
            # Without the file's own times, which would make another dataset of the same images.
            archive.writestr(zipfile.ZipInfo(str(image.path)), (folder / image.path).read_bytes())
    return content.getvalue()


def _files(path: Path) -> Iterator[ImageFile]:
    if path.is_dir():
        for file in path.rglob("*"):
            place = PurePosixPath(file.relative_to(path).as_posix())
            if _is_image(place) and file.is_file():
                yield ImageFile(place, file)
    elif path.suffix.lower() == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if _is_image(PurePosixPath(name)):
                        yield ImageFile(PurePosixPath(name), archive.read(name))
        except zipfile.BadZipFile as error:
            raise InvalidInput(f"{path.name} is no zip file: {error}") from error
    else:
        yield ImageFile(PurePosixPath(path.name), path)


def _is_image(place: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part == _CHAFF for part in place.parts)
    return place.suffix.lower() in SUFFIXES and not hidden
