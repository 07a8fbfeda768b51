"""Datasets as uploaded."""

from datetime import datetime
from typing import Literal

from .base import ResponseBody
from .models import SignatureResponse


class DatasetResponse(ResponseBody):
    """`sha256` and `bytes` are of the file as it was uploaded."""

    object: Literal["dataset"] = "dataset"
    id: str
    name: str
    kind: str
    n_examples: int
    n_classes: int | None
    n_tasks: int | None
    signature: SignatureResponse
    sha256: str
    bytes: int
    created_at: datetime
