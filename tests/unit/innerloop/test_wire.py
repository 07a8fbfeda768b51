import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.requests.binary_frame import read_frame
from app.requests.tensors import read_inputs, read_targets
from innerloop import InvalidInput, wire
from innerloop.arrays import Tensor
from innerloop.requests import adaptations

FLOATS = hnp.arrays(
    np.float32, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(-1e6, 1e6, width=32)
)


def test_documents_without_tensors_are_json():
    body = wire.encode({"inputs": ["é"]})
    assert body.headers == {"Content-Type": "application/json"}
    assert body.content == '{"inputs":["é"]}'.encode()


def test_tensors_follow_in_document_order():
    first, second = Tensor("UINT8", (2,), b"ab"), Tensor("UINT8", (3,), b"cde")
    body = wire.encode({"support": {"inputs": first, "targets": ["x"]}, "inputs": second})
    length = int(body.headers["Inference-Header-Content-Length"])
    assert body.headers["Content-Type"] == "application/octet-stream"
    assert body.content[length:] == b"abcde"
    document = json.loads(body.content[:length])
    assert document["support"]["inputs"] == {
        "datatype": "UINT8",
        "shape": [2],
        "parameters": {"binary_data_size": 2},
    }
    assert document["support"]["targets"] == ["x"]
    assert document["inputs"]["parameters"] == {"binary_data_size": 3}


def test_what_is_not_json_is_invalid_input():
    with pytest.raises(InvalidInput, match="not JSON"):
        wire.encode({"metadata": {"when": object()}})
    with pytest.raises(InvalidInput, match="not JSON"):
        wire.encode({"options": {"inner_lr": float("nan")}})


@given(FLOATS, FLOATS, st.booleans())
def test_the_server_reads_what_the_client_packs(inputs, targets, binary):
    call = adaptations.create(inputs, targets, model="m", binary=binary)
    frame = read_frame(call.content, call.headers.get("Inference-Header-Content-Length"))
    support = frame.document["support"]
    read = read_inputs(support["inputs"], "/support/inputs", frame.attached)
    np.testing.assert_array_equal(read, inputs[:, None] if inputs.ndim == 1 else inputs)
    read = read_targets(support["targets"], "/support/targets", frame.attached)
    np.testing.assert_array_equal(read, targets[:, None] if targets.ndim == 1 else targets)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.booleans())
def test_integer_labels_arrive_as_integers(labels, binary):
    for source in (labels, np.array(labels)):
        call = adaptations.create([[0.0]] * len(labels), source, model="m", binary=binary)
        frame = read_frame(call.content, call.headers.get("Inference-Header-Content-Length"))
        assert (
            read_targets(frame.document["support"]["targets"], "/support/targets", frame.attached) == labels
        )
