"""Encoded images become arrays, upright and in the right size, or are refused."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from services.datasets.images import decode_image, fit, read_header, to_bytes
from services.errors import Invalid
from tests.uploads import picture


def _encoded(image: Image.Image, image_format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def _png_that_says(width: int, height: int) -> bytes:
    """A PNG's header, and nothing behind it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(("shape", "channels"), [((20, 30), 1), ((20, 30, 3), 3)])
def test_the_three_formats(image_format: str, shape: tuple[int, ...], channels: int) -> None:
    data = picture(shape, fill=128, image_format=image_format)
    image = decode_image(data)
    # WebP knows no gray.
    assert image.shape == (20, 30, 3 if image_format == "WEBP" else channels)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - 128).max() <= 3
    assert read_header(io.BytesIO(data))[:2] == (20, 30)


def test_black_and_white_is_gray() -> None:
    image = decode_image(_encoded(Image.new("1", (4, 3), 1)))
    assert image.shape == (3, 4, 1)
    assert (image == 255).all()


def test_sixteen_bits_become_eight() -> None:
    values = np.array([[0, 0x80FF, 0xFFFF]], dtype=np.uint16)
    assert decode_image(_encoded(Image.fromarray(values)))[0, :, 0].tolist() == [0, 0x80, 0xFF]


def test_transparency_lies_on_white() -> None:
    drawing = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    drawing.putpixel((0, 0), (0, 0, 0, 255))
    assert decode_image(_encoded(drawing))[0].tolist() == [[0, 0, 0], [255, 255, 255]]
    gray = Image.new("LA", (2, 1), (0, 0))
    gray.putpixel((0, 0), (0, 255))
    assert decode_image(_encoded(gray))[0].tolist() == [[0], [255]]


def test_a_palette_is_looked_up() -> None:
    image = Image.new("P", (1, 1))
    image.putpalette([10, 20, 30])
    assert decode_image(_encoded(image)).tolist() == [[[10, 20, 30]]]


def test_a_photograph_is_turned_upright() -> None:
    image = Image.new("RGB", (30, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera on its side
    data = _encoded(image, "JPEG", exif=exif)
    assert decode_image(data).shape == (30, 20, 3)
    assert read_header(io.BytesIO(data)) == (30, 20, False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x89PNG\r\n\x1a\n123",
        picture()[:-30],
        picture((64, 64, 3), image_format="JPEG")[:-200],
        picture((64, 64, 3), image_format="WEBP")[:-8],
        _encoded(Image.new("L", (4, 4)), "GIF"),
        _encoded(Image.new("L", (4, 4)), "BMP"),
        b"GIF89a" + picture(),
    ],
    ids=["empty", "text", "no png", "cut png", "cut jpeg", "cut webp", "gif", "bmp", "polyglot"],
)
def test_what_is_no_whole_image_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        decode_image(data)


@pytest.mark.parametrize("side", [5_000, 12_000, 60_000])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    with warnings.catch_warnings():
        # Pillow itself only warns between one and two times its own limit; and we must not depend on it.
        warnings.simplefilter("ignore")
        with pytest.raises(Invalid, match="pixels"):
            decode_image(_png_that_says(side, side))
        with pytest.raises(Invalid, match="pixels"):
            read_header(io.BytesIO(_png_that_says(side, side)))


def test_damage_in_a_chunk_is_refused() -> None:
    data = bytearray(picture((64, 64)))
    data[45] ^= 0xFF
    with pytest.raises(Invalid):
        decode_image(bytes(data))


def test_fitting_what_fits_changes_no_pixel() -> None:
    image = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28, 1)
    fitted = fit(image, (28, 28, 1))
    assert fitted.dtype == np.float32
    np.testing.assert_array_equal(to_bytes(fitted), image)


def test_bytes_and_fractions_fit_alike() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    as_bytes = fit(image, (28, 28, 1))
    as_fractions = fit(image.astype(np.float32) / 255, (28, 28, 1))
    np.testing.assert_allclose(as_bytes, as_fractions, atol=1e-6)


@pytest.mark.parametrize("shape", [(28, 28, 1), (84, 60, 3), (8, 100, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_flat_image_stays_flat(shape: tuple[int, int, int], channels: int) -> None:
    fitted = fit(np.full((50, 40, channels), 51, dtype=np.uint8), shape)
    assert fitted.shape == shape
    np.testing.assert_allclose(fitted, 0.2, atol=1e-6)


def test_the_extremes_stay_within_bounds() -> None:
    checkers = np.indices((20, 20)).sum(axis=0) % 2
    fitted = fit(checkers[:, :, None].astype(np.float32), (33, 47, 1))
    assert fitted.min() >= 0
    assert fitted.max() <= 1


def test_other_channels_are_refused() -> None:
    with pytest.raises(Invalid, match="channels"):
        fit(np.zeros((4, 4, 2), dtype=np.uint8), (4, 4, 1))
