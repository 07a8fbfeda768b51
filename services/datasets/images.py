"""Encoded images to arrays, and arrays to the size and channels that a model takes. Knows no dataset.

Training and serving both come through here, so that an image means the same numbers to both.
"""

import io
from typing import IO, Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from services.errors import Invalid

Array = np.ndarray[Any, Any]

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_PIXELS = 1 << 24
_GRAY_MODES = frozenset({"1", "L", "LA", "I", "I;16", "I;16B", "F"})
_ORIENTATION = 0x0112  # of EXIF's tags
_QUARTER_TURNS = (5, 6, 7, 8)
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601, as Pillow and JPEG have it


class ImageHeader(NamedTuple):
    """What an image says of itself before it is decoded."""

    height: int
    width: int
    is_gray: bool


def read_header(file: IO[bytes], max_pixels: int = MAX_PIXELS) -> ImageHeader:
    """Size and colour of an encoded image, decoding nothing. Raises Invalid."""
    with _open(file, max_pixels) as image:
        height, width = image.height, image.width
        if _lies_on_its_side(image):
            height, width = width, height
        return ImageHeader(height, width, image.mode in _GRAY_MODES)


def decode_image(data: bytes, max_pixels: int = MAX_PIXELS) -> Array:
    """A PNG, JPEG or WebP as uint8 [H, W, C]: C is 1 for gray images, else 3; upright, transparency on white.

    Raises Invalid for anything else, also a truncated file or more pixels than `max_pixels`.
    """
    with _open(io.BytesIO(data), max_pixels) as image:
        try:
            image.load()
            return _to_array(ImageOps.exif_transpose(image))
        except Exception as error:  # decoders raise whatever the damage makes them stumble over
            raise Invalid(f"the image cannot be decoded: {error}") from error


def fit(image: Array, shape: tuple[int, int, int]) -> Array:
    """The image as float32 [H, W, C] in 0..1 of the given shape; from uint8 0..255 or float32 0..1 [h, w, c].

    Stretched, not cropped, where the proportions differ. Raises Invalid for channels other than 1 and 3.
    """
    height, width, channels = shape
    scaled = image.astype(np.float32) / 255 if image.dtype == np.uint8 else image.astype(np.float32)
    scaled = _with_channels(scaled, channels)
    if scaled.shape[:2] == (height, width):
        return scaled
    resized = np.empty(shape, dtype=np.float32)
    for channel in range(channels):
        plane = Image.fromarray(np.ascontiguousarray(scaled[:, :, channel]))
        resized[:, :, channel] = np.asarray(plane.resize((width, height), Image.Resampling.BILINEAR))
    return resized.clip(0.0, 1.0)


def to_bytes(image: Array) -> Array:
    """Float32 0..1 as uint8 0..255, rounded."""
    scaled: Array = np.rint(image * 255)
    return scaled.astype(np.uint8)


def _open(file: IO[bytes], max_pixels: int) -> Image.Image:
    try:
        image = Image.open(file, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Invalid(f"the image has more than {max_pixels} pixels") from error
    except Exception as error:  # parsers of headers raise whatever the damage makes them stumble over
        raise Invalid("not an image: PNG, JPEG and WebP are read") from error
    if image.width * image.height > max_pixels:
        image.close()
        raise Invalid(f"the image has more than {max_pixels} pixels")
    return image


def _lies_on_its_side(image: Image.Image) -> bool:
    if image.format != "JPEG":
        return False  # cameras write JPEG; and Pillow decodes all of a PNG to answer this
    try:
        return image.getexif().get(_ORIENTATION, 1) in _QUARTER_TURNS
    except Exception as error:  # as above
        raise Invalid(f"the image's EXIF data cannot be read: {error}") from error


def _to_array(image: Image.Image) -> Array:
    if image.mode.startswith("I;16"):
        # Pillow's own conversion would clip at 255 and leave white.
        return (np.asarray(image, dtype=np.uint16) >> 8).astype(np.uint8)[:, :, None]
    if image.has_transparency_data:
        backdrop = Image.new("RGBA", image.size, "white")
        gray = image.mode in _GRAY_MODES
        image = Image.alpha_composite(backdrop, image.convert("RGBA")).convert("L" if gray else "RGB")
    elif image.mode in _GRAY_MODES:
        image = image.convert("L")
    else:
        image = image.convert("RGB")
    array = np.asarray(image, dtype=np.uint8)
    return array[:, :, None] if array.ndim == 2 else array


def _with_channels(image: Array, channels: int) -> Array:
    present = image.shape[2]
    if present == channels:
        return image
    if (present, channels) == (1, 3):
        return np.repeat(image, 3, axis=2)
    if (present, channels) == (3, 1):
        return (image @ _LUMA)[:, :, None]
    raise Invalid(f"an image of {present} channels cannot become one of {channels}")
