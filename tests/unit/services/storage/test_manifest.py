"""A model version's file: what goes in comes out, and what was not written by us is refused."""

import json

import msgspec
import numpy as np
import pytest

from models.spec import (
    ActionSpace,
    BoxSpace,
    DiscreteSpace,
    LearnerSpec,
    MlpSpec,
    ProtoNetSpec,
    RidgeSpec,
    Signature,
    TensorSpec,
)
from services.errors import Invalid
from services.storage.manifest import Manifest, decode_artifact, encode_artifact, read_manifest
from services.storage.tensor_file import decode_tensors, encode_tensors


def _signature(inputs: tuple[int, ...] = (-1, 2), width: int = 1) -> Signature:
    return Signature(
        inputs=TensorSpec(datatype="FP32", shape=inputs),
        targets=TensorSpec(datatype="FP32", shape=(-1, width)),
    )


def _texts(**fields: object) -> Signature:
    labels = TensorSpec(datatype="BYTES", shape=(-1,))
    return msgspec.structs.replace(Signature(inputs=labels, targets=labels), **fields)


def _manifest(signature: Signature | None = None) -> Manifest:
    return Manifest(
        learner=LearnerSpec(algorithm=RidgeSpec(), network=MlpSpec(hidden=(10,))),
        signature=signature or _signature(),
        training={"job": "job_1", "iterations": 10},
        metrics={"meta_test": {"loss": 0.25}},
    )


BOX = BoxSpace(shape=(2,), low=-1.0, high=1.0)


def _policy(**changes: object) -> dict[str, object]:
    """A policy's signature as it is written, with something else in it."""
    plain: dict[str, object] = msgspec.to_builtins(Signature.of_policy(2, BOX))
    return {**plain, **changes}


PARAMS = {
    "net.0.weight": np.arange(6, dtype=np.float32).reshape(3, 2),
    "log_noise": np.float32(0.5).reshape(()),
}


def test_what_goes_in_comes_out() -> None:
    manifest, params = decode_artifact(encode_artifact(PARAMS, _manifest()))
    assert manifest == _manifest()
    assert set(params) == set(PARAMS)
    for name, array in PARAMS.items():
        assert params[name].shape == array.shape
        np.testing.assert_array_equal(params[name], array)


@pytest.mark.parametrize("space", [BOX, DiscreteSpace(n=4)])
def test_a_policys_space_of_actions_comes_out(space: ActionSpace) -> None:
    manifest = _manifest(Signature.of_policy(2, space))
    assert read_manifest(encode_artifact(PARAMS, manifest)) == manifest
    assert manifest.signature.task == "policy"


def test_what_is_no_policy_is_written_as_it_always_was() -> None:
    assert b"actions" not in encode_artifact(PARAMS, _manifest())


def test_equal_weights_are_equal_bytes() -> None:
    backwards = dict(reversed(PARAMS.items()))
    assert encode_artifact(PARAMS, _manifest()) == encode_artifact(backwards, _manifest())


def test_a_strided_array_is_stored_by_its_values() -> None:
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T
    np.testing.assert_array_equal(decode_tensors(encode_tensors({"w": turned}))["w"], turned)


def test_the_manifest_reads_without_the_tensors() -> None:
    data = encode_artifact(PARAMS, _manifest())
    header = 8 + int.from_bytes(data[:8], "little")
    assert read_manifest(data[:header]) == _manifest()


@pytest.mark.parametrize("cut", [0, 4, 8, 40, -1])
def test_a_truncated_file_is_refused(cut: int) -> None:
    with pytest.raises(Invalid):
        decode_artifact(encode_artifact(PARAMS, _manifest())[:cut])


def test_a_file_of_others_is_refused() -> None:
    with pytest.raises(Invalid, match="no manifest"):
        decode_artifact(encode_tensors(PARAMS))
    with pytest.raises(Invalid, match="header"):
        decode_artifact(b"\x80\x04pickled")


def test_weights_that_are_not_finite_are_refused() -> None:
    with pytest.raises(Invalid, match="finite"):
        decode_artifact(encode_artifact({"w": np.array([np.nan], np.float32)}, _manifest()))


def test_half_precision_is_refused() -> None:
    with pytest.raises(Invalid, match="float16"):
        decode_tensors(encode_tensors({"w": np.ones(2, np.float16)}))


def _with_manifest(**changes: object) -> bytes:
    plain = {**msgspec.to_builtins(_manifest()), **changes}
    return encode_tensors(PARAMS, {"manifest": json.dumps(plain)})


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"learner": {"algorithm": {"name": "nope"}, "network": {"name": "mlp"}}},
        {"surprise": 1},
        {"signature": msgspec.to_builtins(_signature(inputs=(-1, 1 << 20, 1 << 20, 1 << 20)))},
        {"signature": msgspec.to_builtins(_signature(inputs=(4, 2)))},
        {"signature": msgspec.to_builtins(_signature(inputs=(-1, 0)))},
        {"signature": msgspec.to_builtins(_signature(inputs=(-1, 4096, 4096, 1)))},
        {"signature": msgspec.to_builtins(_signature(width=0))},
        {"signature": msgspec.to_builtins(_signature(width=10**7))},
        {"signature": _policy(actions={"space": "box", "shape": [3], "low": -1.0, "high": 1.0})},
        {"signature": _policy(actions={"space": "box", "shape": [2], "low": 1.0, "high": 1.0})},
        {"signature": _policy(actions={"space": "discrete", "n": 2})},
        {"signature": _policy(inputs={"datatype": "FP32", "shape": [-1, 4, 4, 2]})},
        {
            "signature": {**msgspec.to_builtins(_texts(class_names=True)), "classes": ["a", "b"]},
            "max_ways": 2,
        },
        {"signature": {**msgspec.to_builtins(_signature()), "class_names": True}},
        {"max_ways": 0},
        {"max_ways": -5},
        {"max_ways": 10**8},
        {"metrics": {"deep": json.loads("[" * 40 + "]" * 40)}},
        {"training": {"deep": json.loads("[" * 40 + "]" * 40)}},
        {"metrics": {"long": "x" * (1 << 20)}},
    ],
)
def test_a_manifest_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        read_manifest(_with_manifest(**changes))


def test_nesting_without_end_is_refused() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    with pytest.raises(Invalid):
        read_manifest(encode_tensors(PARAMS, {"manifest": f'{{"training": {{"a": {deep}}}}}'}))


def test_classes_have_no_columns() -> None:
    signature = Signature(
        inputs=TensorSpec(datatype="FP32", shape=(-1, 28, 28, 1)),
        targets=TensorSpec(datatype="BYTES", shape=(-1,)),
    )
    manifest = msgspec.structs.replace(
        _manifest(signature), learner=LearnerSpec(algorithm=ProtoNetSpec(), network=MlpSpec()), max_ways=None
    )
    assert read_manifest(encode_artifact(PARAMS, manifest)).signature.is_image


def test_names_of_classes_are_part_of_a_signature_of_texts() -> None:
    for signature in (_texts(), _texts(class_names=True)):
        assert read_manifest(encode_artifact(PARAMS, _manifest(signature))).signature == signature
