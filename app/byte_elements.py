"""BYTES tensors of the Open Inference Protocol as raw bytes, read and written.

Each element is its length, a little-endian uint32, and that many bytes; nothing stands between two elements.
"""

from collections.abc import Iterable

from services.errors import Malformed


def encode_elements(elements: Iterable[bytes]) -> bytes:
    """The elements one after the other."""
    return b"".join(part for element in elements for part in (len(element).to_bytes(4, "little"), element))


def decode_elements(data: memoryview, pointer: str) -> list[bytes]:
    """Every element. Raises Malformed, naming `pointer`, where the last one does not end with the data."""
    elements: list[bytes] = []
    start = 0
    while start < len(data):
        content = start + 4
        end = content + int.from_bytes(data[start:content], "little")
        if content > len(data) or end > len(data):
            raise Malformed(f"{pointer}: a BYTES element runs past the end of its tensor")
        elements.append(bytes(data[content:end]))
        start = end
    return elements
