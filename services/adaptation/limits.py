"""What one call may bring. Published at `/v1/limits`, so that a refusal surprises nobody."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Each is checked before the memory that it bounds is taken."""

    support_examples: int = 4096
    query_examples: int = 16_384
    support_steps: int = 1 << 16
    """Steps in all episodes of one support set."""
    episode_steps: int = 4096
    ways: int = 1024
    input_width: int = 1 << 18
    """Numbers in one input example; for an image height times width times channels, as it is sent."""
    image_pixels: int = 1 << 24
    """Height times width of one encoded image file."""
    input_numbers: int = 1 << 26
    """Numbers in all inputs of one call, images as the model takes them."""
    answer_numbers: int = 1 << 20
    """Inputs of one query times the numbers in each one's answer: classes, or target columns."""
    call_pixels: int = 1 << 28
    """The same of all image files of one call together."""
    call_operations: int = 100_000_000_000
    """Multiply-adds that one call may take, as estimated from its examples, its steps and its network."""
    call_bytes: int = 4 << 30
    """Working memory that one call may take, estimated likewise."""
    label_characters: int = 256
    metadata_bytes: int = 16_384
    """An adaptation's metadata as JSON."""
    ttl_seconds: float = 10 * 365 * 86_400.0
