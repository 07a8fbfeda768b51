"""How large an upload may be, compressed and inflated. Published, so that a refusal surprises nobody."""

import msgspec

_MIB = 1 << 20


class DatasetLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Each is checked before the memory that it bounds is taken."""

    upload_bytes: int = 256 * _MIB
    unpacked_bytes: int = 1024 * _MIB
    """Everything inside an archive together, and likewise the arrays that are made of an upload."""
    index_bytes: int = 16 * _MIB
    """A zip file's list of contents: some hundred thousand files."""
    examples: int = 1_000_000
    input_width: int = 16_384
    text_characters: int = 10_000
    """One text; of a long one an encoder reads the beginning."""
    image_bytes: int = 16 * _MIB
    """One encoded image file."""
    image_pixels: int = 1 << 24
    """Height times width of one encoded image, before it is made smaller."""
    archive_pixels: int = 1 << 32
    """The same of all images of an archive together: about a minute's decoding."""
    image_side: int = 256
    """Height or width of an image that is stored as numbers."""
    label_characters: int = 256
