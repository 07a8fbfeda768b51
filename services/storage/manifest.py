"""An artifact: a model version as one safetensors file, whose metadata holds the manifest.

Shared by the registry (import, download), the engine (loading) and the worker (publishing). Knows the file;
not where it is kept, nor how to rebuild a learner from it.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from models.spec import INPUT_KINDS, ActionSpace, BoxSpace, LearnerSpec, Signature, encoded_width
from services.errors import Invalid
from services.storage.free_form import MAX_DEPTH, is_too_deep
from services.storage.tensor_file import Tensors, decode_tensors, encode_tensors, read_metadata

_KEY = "manifest"
_MAX_EXAMPLE_NUMBERS = 1 << 18  # as many as a call's inputs may have each
_MAX_COLUMNS = 1 << 14
_MOST_RECORD_BYTES = 1 << 20
_MOST_WAYS = 1000  # as many as an episode may have; the engine makes room for every one of them


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model version is, besides its weights.

    `max_ways` is the most classes a task may have (None: no bound, or regression). `training` is its record
    (job, tasks, iterations, seed), `metrics` what it scored; both are JSON objects of the trainer's making, of a
    bounded depth and size.
    """

    format: Literal[1] = 1
    learner: LearnerSpec
    signature: Signature
    max_ways: Annotated[int, Meta(ge=1, le=_MOST_WAYS)] | None = None
    training: dict[str, Any] = {}
    metrics: dict[str, Any] = {}


def encode_artifact(params: Mapping[str, np.ndarray[Any, Any]], manifest: Manifest) -> bytes:
    """Meta-parameters (float32, by name) and their manifest as one file; equal input, equal bytes."""
    return encode_tensors(params, {_KEY: msgspec.json.encode(manifest, order="deterministic").decode()})


def decode_artifact(data: bytes) -> tuple[Manifest, Tensors]:
    """The manifest and the meta-parameters of a file. Raises Invalid with what is wrong about it."""
    manifest = read_manifest(data)
    return manifest, decode_tensors(data)


def read_manifest(data: bytes) -> Manifest:
    """The manifest alone. Raises Invalid."""
    text = read_metadata(data).get(_KEY)
    if text is None:
        raise Invalid("the file has no manifest: it was not written by this service")
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"the file's manifest cannot be read: {error}") from error
    _check_signature(manifest.signature)
    if manifest.signature.classes and manifest.max_ways != len(manifest.signature.classes):
        raise Invalid("the file's manifest has classes, and another number of ways")
    _check_record("training", manifest.training)
    _check_record("metrics", manifest.metrics)
    return manifest


def _check_record(name: str, record: dict[str, Any]) -> None:
    """It is answered with every list of the model's versions, so it must be one that can be."""
    if is_too_deep(record):
        raise Invalid(f"the file's manifest has {name} that nest more than {MAX_DEPTH} deep")
    size = len(msgspec.json.encode(record))
    if size > _MOST_RECORD_BYTES:
        raise Invalid(
            f"the file's manifest has {size} bytes of {name}; at most {_MOST_RECORD_BYTES} are taken"
        )


def _check_signature(signature: Signature) -> None:
    """A file from outside must not talk the service into shapes that no model has."""
    inputs, targets = signature.inputs, signature.targets
    sound = (
        inputs.datatype == ("FP32" if inputs.example_shape else "BYTES")
        and len(inputs.example_shape) in INPUT_KINDS
        and inputs.shape[0] == -1
        and all(side >= 1 for side in inputs.example_shape)
        and np.prod(inputs.example_shape, dtype=object) <= _MAX_EXAMPLE_NUMBERS
        and targets.shape[:1] == (-1,)
    )
    if signature.class_names:
        # The words of labels are read as the inputs are, and are those of the support set's own classes.
        sound = sound and signature.is_text and targets.datatype == "BYTES" and not signature.classes
    if signature.actions is not None:
        sound = sound and len(inputs.shape) == 2
        sound = sound and signature == Signature.of_policy(inputs.shape[-1], signature.actions)
        sound = sound and _is_sound(signature.actions)
    elif targets.datatype == "BYTES":
        sound = sound and len(targets.shape) == 1
    else:
        sound = sound and targets.datatype == "FP32" and len(targets.shape) == 2
        sound = sound and 1 <= targets.shape[1] <= _MAX_COLUMNS
    if not (sound and _columns_are_sound(signature)):
        raise Invalid("the file's manifest has a signature that no model here can have")


def _is_sound(actions: ActionSpace) -> bool:
    """A box has an inside; that its numbers are finite, JSON sees to."""
    return not isinstance(actions, BoxSpace) or actions.low < actions.high


def _columns_are_sound(signature: Signature) -> bool:
    """One for each number of an input and of a target, and classes that can be told apart."""
    columns, targets, classes = signature.columns, signature.target_columns, signature.classes
    fits = not columns or (len(columns),) == signature.inputs.example_shape
    fits = fits and encoded_width(columns) <= _MAX_EXAMPLE_NUMBERS
    fits = fits and (not targets or len(targets) == signature.target_width)
    fits = fits and all(column.scale > 0 and not column.categories for column in targets)
    finite = all(isfinite(column.mean) and isfinite(column.scale) for column in (*columns, *targets))
    told_apart = signature.task == "classification" and 2 <= len(set(classes)) == len(classes) <= _MOST_WAYS
    return fits and finite and (not classes or told_apart)
