"""What an infer request and its answer may be made of: pictures, raw bytes, compressed bodies."""

import gzip
import json
import struct
import zlib

import httpx
import numpy as np
import pytest

from tests.contract.adaptations import adapt
from tests.contract.conftest import BODY_BYTES
from tests.contract.inference import LENGTH, VALUES, behind, infer, outputs_of, tensor
from tests.contract.shapes import check_inference_error


def test_pictures_are_bytes_numbers_or_files(http: httpx.Client) -> None:
    import io

    from PIL import Image

    pixels = np.zeros((2, 16, 16), np.uint8)
    pixels[1, :, 8:] = 255
    support = {
        "inputs": {"datatype": "UINT8", "shape": [2, 16, 16], "data": pixels.ravel().tolist()},
        "targets": ["dark", "half"],
    }
    made = adapt(http, model="pictures", support=support)["id"]
    assert http.get(f"/v2/models/{made}").json()["inputs"][0]["shape"] == [-1, 16, 16, 1]
    files = []
    for picture in pixels:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        files.append(struct.pack("<I", buffer.tell()) + buffer.getvalue())
    scaled = (pixels / 255).astype(np.float32)[..., None]
    asked = [
        infer(http, made, {"inputs": [behind(pixels.tobytes(), [2, 16, 16], "UINT8")]}, pixels.tobytes()),
        infer(http, made, {"inputs": [tensor(scaled)]}),
        infer(http, made, {"inputs": [behind(b"".join(files), [2], "BYTES")]}, b"".join(files)),
        infer(
            http,
            made,
            {"inputs": [behind(scaled.astype("<f8").tobytes(), [2, 16, 16, 1], "FP64")]},
            scaled.astype("<f8").tobytes(),
        ),
    ]
    answers = [outputs_of(answer) for answer in asked]
    for answer in answers:
        assert answer["label"] == ["dark", "half"]
        assert np.ravel(answer["probabilities"]) == pytest.approx(
            np.ravel(answers[0]["probabilities"]), abs=1e-6
        )


@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "text/plain", "application/xml"])
def test_the_content_type_is_ignored(http: httpx.Client, line: str, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert outputs_of(infer(http, line, {"inputs": [tensor()]}, **headers))


def test_a_raw_request_is_one_example_and_its_answer_is_binary(http: httpx.Client, points: str) -> None:
    query = np.float32([[1, 1, 0]])
    path = f"/v2/models/{points}/infer"
    answer = http.post(path, content=query.tobytes(), headers={LENGTH: "0"})
    assert answer.status_code == 200, answer.text
    length = int(answer.headers[LENGTH])
    described = json.loads(answer.content[:length])
    assert "id" not in described
    assert [output["shape"] for output in described["outputs"]] == [[1, 2], [1]]
    sizes = [output["parameters"]["binary_data_size"] for output in described["outputs"]]
    assert (sizes, len(answer.content)) == ([8, 5], length + 13)
    assert answer.content[length + 8 :] == b"\x01\0\0\0b"
    assert "not 4" in check_inference_error(http.post(path, content=b"\0" * 4, headers={LENGTH: "0"}), 400)
    unknown = http.post("/v2/models/adp_nope/infer", content=query.tobytes(), headers={LENGTH: "0"})
    check_inference_error(unknown, 404)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_body_is_read_and_its_header_counts_what_it_was(
    http: httpx.Client, line: str, coding: str
) -> None:
    compress = gzip.compress if coding == "gzip" else zlib.compress
    head = json.dumps({"inputs": [behind(VALUES.tobytes(), [2, 1])]}).encode()
    answer = http.post(
        f"/v2/models/{line}/infer",
        content=compress(head + VALUES.tobytes()),
        headers={"Content-Encoding": coding, LENGTH: str(len(head))},
    )
    assert outputs_of(answer) == outputs_of(infer(http, line, {"inputs": [tensor()]}))


def test_compression_has_its_limits(http: httpx.Client, line: str) -> None:
    path = f"/v2/models/{line}/infer"

    def post(content: bytes, coding: str) -> httpx.Response:
        return http.post(path, content=content, headers={"Content-Encoding": coding})

    bomb = gzip.compress(b" " * (BODY_BYTES + 1))
    assert len(bomb) < 4096
    assert "inflates" in check_inference_error(post(bomb, "gzip"), 413)
    check_inference_error(post(b"{}", "gzip"), 400)
    check_inference_error(post(gzip.compress(b"{}")[:-1], "gzip"), 400)
    check_inference_error(post(b"{}", "br"), 415)
    check_inference_error(post(gzip.compress(b"{}"), "gzip, deflate"), 415)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip", "gzip"), ("deflate", "deflate"), ("gzip, deflate, br", None), ("identity", None), ("br", None)],
)
def test_only_answers_of_infer_are_compressed_and_only_for_who_asks(
    http: httpx.Client, line: str, accepted: str, coding: str | None
) -> None:
    document = {"id": "q", "inputs": [tensor()], "parameters": {"binary_data_output": True}}
    plain = infer(http, line, document, **{"Accept-Encoding": "identity"})
    answer = infer(http, line, document, **{"Accept-Encoding": accepted})
    assert answer.headers.get("content-encoding") == coding
    assert answer.content == plain.content
    assert answer.headers[LENGTH] == plain.headers[LENGTH]
    headers = {"Accept-Encoding": accepted}
    for path in ("/v2", f"/v2/models/{line}", "/v2/health/live"):
        assert "content-encoding" not in http.get(path, headers=headers).headers
    check_inference_error(infer(http, line, {}, **headers), 400)
