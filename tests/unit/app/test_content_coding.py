"""gzip and deflate: read within a bound, refused where damaged, and given only to who names one of them."""

import gzip
import zlib

import pytest

from app.content_coding import coding_of, inflate, wanted_coding
from services.errors import Malformed, TooLarge, UnsupportedMediaType

BODY = b"some tensor" * 100
GZIP, DEFLATE = gzip.compress(BODY), zlib.compress(BODY)


@pytest.mark.parametrize(("coding", "data"), [("gzip", GZIP), ("deflate", DEFLATE)])
def test_a_body_is_inflated_up_to_the_limit(coding: str, data: bytes) -> None:
    assert inflate(data, coding, len(BODY)) == BODY
    with pytest.raises(TooLarge):
        inflate(data, coding, len(BODY) - 1)


def test_a_bomb_is_stopped_at_the_limit() -> None:
    with pytest.raises(TooLarge):
        inflate(gzip.compress(bytes(50 << 20)), "gzip", 1 << 10)


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", b""),
        ("gzip", BODY),
        ("gzip", DEFLATE),
        ("gzip", GZIP[:-1]),
        ("gzip", GZIP[:-8] + bytes(8)),
        ("gzip", GZIP + b"x"),
        ("gzip", GZIP + GZIP),
        ("deflate", GZIP),
        ("deflate", DEFLATE[:-1]),
        ("deflate", DEFLATE + b"x"),
        ("deflate", zlib.compress(BODY, wbits=-15)),
    ],
)
def test_what_is_not_what_it_says_is_malformed(coding: str, data: bytes) -> None:
    with pytest.raises(Malformed):
        inflate(data, coding, 1 << 20)


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        (" GZip ", "gzip"),
        ("deflate", "deflate"),
    ],
)
def test_the_coding_of_a_body(header: str | None, coding: str | None) -> None:
    assert coding_of(header) == coding


@pytest.mark.parametrize("header", ["br", "zstd", "gzip, deflate", "x"])
def test_other_codings_are_not_read(header: str) -> None:
    with pytest.raises(UnsupportedMediaType, match=header):
        coding_of(header)


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("Deflate", "deflate"),
        ("gzip, deflate, br", None),
        ("gzip, deflate", None),
        ("gzip;q=0", None),
        ("br", None),
        ("identity", None),
        ("*", None),
    ],
)
def test_an_answer_is_compressed_for_who_names_one_coding(header: str | None, coding: str | None) -> None:
    assert wanted_coding(header) == coding
