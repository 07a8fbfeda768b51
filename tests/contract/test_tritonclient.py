"""The unmodified `tritonclient[http]` of PyPI queries adaptations, with both of its clients, in all their ways."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as blocking
import tritonclient.http.aio as nonblocking
from tritonclient.utils import InferenceServerException

from tests.contract.adaptations import POINTS, adapt, predict
from tests.contract.conftest import Service

Ask = Callable[..., Any]
"""Calls a method of a client by name."""

QUERIES = np.float32([[5], [6], [7]])
SPOTS = np.float32([[0, 0, 1], [1, 1, 0], [0.4, 0.6, 0.5]])


@pytest.fixture(params=["blocking", "nonblocking"])
def ask(request: pytest.FixtureRequest, service: Service) -> Iterator[Ask]:
    """The same method of either client."""
    address = service.url.removeprefix("http://")
    if request.param == "blocking":
        with blocking.InferenceServerClient(address) as client:
            yield lambda method, *given, **named: getattr(client, method)(*given, **named)
        return

    async def once(method: str, *given: Any, **named: Any) -> Any:
        async with nonblocking.InferenceServerClient(address) as client:
            return await getattr(client, method)(*given, **named)

    yield lambda method, *given, **named: asyncio.run(once(method, *given, **named))


def made(service: Service, **body: Any) -> str:
    with httpx.Client(base_url=service.url, timeout=30) as http:
        return str(adapt(http, **body)["id"])


@pytest.fixture(scope="module")
def texts(service: Service) -> str:
    """A classifier whose labels are texts."""
    return made(service, model="points", support={**POINTS, "targets": ["é", "é", "b", "b"]})


@pytest.fixture(scope="module")
def integers(service: Service) -> str:
    """A classifier whose labels are integers."""
    return made(service, model="points", support={**POINTS, "targets": [7, 7, 2**40, 2**40]})


def given(array: np.ndarray, datatype: str = "FP32", *, binary: bool = True, name: str = "inputs") -> Any:
    tensor = blocking.InferInput(name, list(array.shape), datatype)
    return [tensor.set_data_from_numpy(array, binary_data=binary)]


def wanted(*names: str, binary: bool = True, top: int = 0) -> list[Any]:
    return [blocking.InferRequestedOutput(name, binary_data=binary, class_count=top) for name in names]


def refused(ask: Ask, method: str, *positional: Any, **named: Any) -> InferenceServerException:
    with pytest.raises(InferenceServerException) as caught:
        ask(method, *positional, **named)
    assert caught.value.message()
    assert "decoding the response" not in caught.value.message()
    return caught.value


def test_the_server_is_described_live_and_ready(ask: Ask, service: Service) -> None:
    service.worker_gives_a_sign()
    described = ask("get_server_metadata")
    assert described["name"] == "innerloop"
    assert "binary_tensor_data" in described["extensions"]
    assert ask("is_server_live") is True
    assert ask("is_server_ready") is True


def test_an_adaptation_is_described_and_ready(ask: Ask, line: str, texts: str, integers: str) -> None:
    for version in ("", "1"):
        described = ask("get_model_metadata", line, version)
        assert (described["name"], described["versions"]) == (line, ["1"])
        assert ask("is_model_ready", line, version) is True
    assert [output["name"] for output in described["outputs"]] == ["value", "std"]
    for classifier, datatype in ((texts, "BYTES"), (integers, "INT64")):
        probabilities, label = ask("get_model_metadata", classifier)["outputs"]
        assert probabilities == {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}
        assert label == {"name": "label", "datatype": datatype, "shape": [-1]}
    assert ask("is_model_ready", "adp_nope") is False
    assert ask("is_model_ready", line, "2") is False


@pytest.mark.parametrize(
    ("request_coding", "response_coding"), list(itertools.product([None, "gzip", "deflate"], repeat=2))
)
def test_every_way_to_infer_answers_the_same(
    ask: Ask,
    line: str,
    http: httpx.Client,
    request_coding: str | None,
    response_coding: str | None,
) -> None:
    expected = predict(http, line, QUERIES.tolist())
    ways: list[tuple[bool, list[Any] | None]] = [
        (binary_in, outputs)
        for binary_in in (True, False)
        for outputs in (
            None,
            wanted("value", "std"),
            wanted("value", "std", binary=False),
            wanted("value") + wanted("std", binary=False),
        )
    ]
    for binary_in, outputs in ways:
        result = ask(
            "infer",
            line,
            given(QUERIES, binary=binary_in),
            outputs=outputs,
            request_id="q1",
            request_compression_algorithm=request_coding,
            response_compression_algorithm=response_coding,
        )
        about = result.get_response()
        assert (about["model_name"], about["model_version"], about["id"]) == (line, "1", "q1")
        for name in ("value", "std"):
            found = result.as_numpy(name)
            assert (found.dtype, found.shape) == (np.float32, (3, 1))
            np.testing.assert_allclose(found[:, 0], [one[name] for one in expected], rtol=1e-6)


@pytest.mark.parametrize("binary", [True, False])
def test_labels_are_texts_or_integers_as_they_were_given(
    ask: Ask, texts: str, integers: str, binary: bool
) -> None:
    named = ask("infer", texts, given(SPOTS[:2]), outputs=wanted("label", binary=binary)).as_numpy("label")
    assert (named.dtype, named.shape) == (np.object_, (2,))
    # The client gives BYTES as bytes where they came as bytes.
    assert [one.decode() if isinstance(one, bytes) else one for one in named] == ["é", "b"]
    numbered = ask("infer", integers, given(SPOTS[:2]), outputs=wanted("label", binary=binary))
    assert numbered.as_numpy("label").dtype == np.int64
    assert numbered.as_numpy("label").tolist() == [7, 2**40]


def test_only_what_was_asked_for_comes(ask: Ask, texts: str) -> None:
    result = ask("infer", texts, given(SPOTS), model_version="1", outputs=wanted("label"))
    assert [output["name"] for output in result.get_response()["outputs"]] == ["label"]
    assert result.as_numpy("probabilities") is None
    everything = ask("infer", texts, given(SPOTS))
    assert everything.as_numpy("probabilities").shape == (3, 2)
    assert everything.as_numpy("label").shape == (3,)


@pytest.mark.parametrize("binary", [True, False])
def test_classification(ask: Ask, texts: str, binary: bool) -> None:
    probabilities = ask("infer", texts, given(SPOTS)).as_numpy("probabilities")
    result = ask("infer", texts, given(SPOTS), outputs=wanted("probabilities", binary=binary, top=5))
    found = result.as_numpy("probabilities")
    assert found.shape == (3, 2)
    for row, entries in zip(probabilities, found, strict=True):
        read = [one.decode() if isinstance(one, bytes) else one for one in entries]
        values, indices, labels = zip(*(one.split(":") for one in read), strict=True)
        assert [np.float32(value) for value in values] == sorted(row, reverse=True)
        assert [row[int(index)] for index in indices] == sorted(row, reverse=True)
        assert [{"0": "é", "1": "b"}[index] for index in indices] == list(labels)


@pytest.mark.parametrize(
    ("datatype", "dtype"), [("FP16", np.float16), ("FP64", np.float64), ("INT32", np.int32)]
)
@pytest.mark.parametrize("binary", [True, False])
def test_other_datatypes_are_converted(ask: Ask, line: str, datatype: str, dtype: Any, binary: bool) -> None:
    expected = ask("infer", line, given(QUERIES)).as_numpy("value")
    found = ask("infer", line, given(QUERIES.astype(dtype), datatype, binary=binary)).as_numpy("value")
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_parameters_that_mean_nothing_here_are_accepted(ask: Ask, line: str) -> None:
    result = ask(
        "infer",
        line,
        given(QUERIES),
        priority=1,
        timeout=1_000_000,
        parameters={"mine": "x", "k": 1.5, "b": True},
    )
    assert result.as_numpy("value").shape == (3, 1)


@pytest.mark.parametrize("binary", [True, False])
def test_a_bad_request_raises_with_a_readable_message(ask: Ask, line: str, binary: bool) -> None:
    faults = [
        ({"inputs": given(np.zeros((1, 3), np.float32), binary=binary)}, "takes a number each"),
        ({"inputs": given(QUERIES, name="x", binary=binary)}, "'inputs'"),
        ({"inputs": given(QUERIES, binary=binary) * 2}, "exactly one input"),
        ({"inputs": given(np.zeros((0, 1), np.float32), binary=binary)}, "no examples"),
        ({"inputs": given(np.array([["a"]], object), "BYTES", binary=False)}, "texts"),
        ({"inputs": given(QUERIES, binary=binary), "outputs": wanted("nope")}, "no output 'nope'"),
    ]
    for arguments, words in faults:
        error = refused(ask, "infer", line, **arguments)
        assert error.status() in ("400", "StatusCode.400")
        assert words in error.message(), error.message()


def test_what_is_not_there_raises_with_a_readable_message(ask: Ask, line: str) -> None:
    for place in (("adp_nope",), ("nope",), ("a/b",), ("a@b",), (line, "2"), (line, "x")):
        error = refused(ask, "get_model_metadata", *place)
        assert "404" in error.status()
    assert "'adp_nope'" in refused(ask, "infer", "adp_nope", given(QUERIES)).message()
    assert "revision 1" in refused(ask, "infer", line, given(QUERIES), model_version="2").message()


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("get_model_repository_index", ()),
        ("load_model", ("m",)),
        ("unload_model", ("m",)),
        ("get_inference_statistics", ()),
        ("get_inference_statistics", ("m", "1")),
        ("get_model_config", ("m",)),
        ("get_trace_settings", ()),
        ("get_log_settings", ()),
        ("get_system_shared_memory_status", ()),
        ("get_cuda_shared_memory_status", ()),
    ],
)
def test_an_extension_that_is_not_there_says_so(ask: Ask, method: str, arguments: tuple[str, ...]) -> None:
    assert "501" in refused(ask, method, *arguments).status()


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # aiohttp's, to its own caller
def test_a_body_beyond_the_limit_raises_with_a_readable_message(ask: Ask, line: str) -> None:
    large = given(np.zeros((300_000, 1), np.float32))
    assert "larger than" in refused(ask, "infer", line, large).message()
    shrunk = refused(ask, "infer", line, large, request_compression_algorithm="gzip")
    assert "inflates" in shrunk.message()


def test_a_key_is_sent_as_a_header(own_service: Service) -> None:
    own_service.publish_models()
    _, secret = own_service.services.access.create_key("ci")
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=own_service.url, timeout=30, headers=headers) as http:
        adaptation = adapt(http)["id"]
    with blocking.InferenceServerClient(own_service.url.removeprefix("http://")) as client:
        assert client.is_server_live() is True
        assert client.is_model_ready(adaptation) is False
        with pytest.raises(InferenceServerException, match="send a key"):
            client.infer(adaptation, given(QUERIES))
        assert client.infer(adaptation, given(QUERIES), headers=headers).as_numpy("value").shape == (3, 1)
