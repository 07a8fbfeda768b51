"""The SDK against the real api: every form that a caller may have examples in, every operation, every error."""

import asyncio
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from innerloop import (
    AsyncClient,
    AuthenticationError,
    Client,
    Conflict,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    UnsupportedMediaType,
)
from tests.contract.conftest import Service

X, Y = [1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 6.0, 8.0]
POINTS = [[0.0, 0.5, 1.0], [0.1, 0.4, 0.9], [5.0, 5.5, 6.0], [5.1, 5.4, 6.5]]


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url, max_retries=0) as connected:
        yield connected


FORMS = {
    "numbers": (X, Y),
    "whole numbers": ([1, 2, 3, 4], [2, 4, 6, 8]),
    "rows": ([[x] for x in X], [[y] for y in Y]),
    "tuples": (tuple(X), tuple(Y)),
    "numpy": (np.array(X), np.array(Y)),
    "numpy, whole": (np.array(X, int), np.array(Y, int)),
    "numpy, small": (np.array(X, np.uint8)[:, None], np.array(Y, np.float16)),
    "torch": (torch.tensor(X), torch.tensor(Y)),
    "torch, whole": (
        torch.tensor(X, dtype=torch.int32)[:, None],
        torch.tensor(Y, dtype=torch.int64)[:, None],
    ),
    "a list of arrays": ([np.array([x], np.float32) for x in X], Y),
}


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("form", FORMS)
def test_the_same_numbers_give_the_same_answer_in_every_form(
    service: Service, form: str, binary: bool
) -> None:
    inputs, targets = FORMS[form]
    with Client(service.url) as plain, Client(service.url, binary=binary) as client:
        expected = plain.adapt_and_predict("line", X, Y, [5.0, 6.0])
        adaptation = client.adapt("line", inputs, targets, ttl_seconds=60, metadata={"form": form})
        assert adaptation.n_support == 4
        assert adaptation.metadata == {"form": form}
        assert adaptation.expires_at is not None
        found = adaptation.predict(np.array([5.0, 6.0]))
        assert found.values == pytest.approx(expected.values, rel=1e-6)
        assert found.stds == pytest.approx(expected.stds, rel=1e-6)
        assert client.predict(adaptation.id, [5, 6]).values == found.values
        adaptation.delete()
        with pytest.raises(NotFound):
            adaptation.predict([5])


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize(
    ("targets", "classes"),
    [
        (["a", "a", "b", "b"], ["a", "b"]),
        ([7, 7, 8, 8], [7, 8]),
        (["7", "7", "8", "8"], ["7", "8"]),
        (np.array(["a", "a", "b", "b"]), ["a", "b"]),
        (np.array([7, 7, 8, 8], np.uint8), [7, 8]),
        (torch.tensor([7, 7, 8, 8]), [7, 8]),
    ],
    ids=["strings", "integers", "digits", "numpy strings", "numpy integers", "torch integers"],
)
def test_labels_come_back_as_they_were_given(
    service: Service, targets: Any, classes: list[Any], binary: bool
) -> None:
    with Client(service.url, binary=binary) as client:
        adaptation = client.adapt("points", POINTS, targets)
        assert adaptation.classes == classes
        labels = adaptation.predict(POINTS).labels
        assert labels == [classes[0], classes[0], classes[1], classes[1]]
        assert [type(label) for label in labels] == [type(classes[0])] * 4


def test_pictures_are_arrays_files_or_images(client: Client) -> None:
    generator = np.random.default_rng(0)
    arrays = generator.integers(0, 255, (4, 16, 16), dtype=np.uint8)
    images = [Image.fromarray(array) for array in arrays]
    files = []
    for image in images:
        file = io.BytesIO()
        image.save(file, format="PNG")
        files.append(file.getvalue())
    answers = [
        client.adapt_and_predict("pictures", form, ["a", "a", "b", "b"], form).probabilities
        for form in (arrays, arrays[..., None], arrays / 255.0, torch.from_numpy(arrays), images, files)
    ]
    for answer in answers[1:]:
        for found, expected in zip(answer, answers[0], strict=True):
            assert found == pytest.approx(expected, abs=1e-5)


def test_the_base_model_answers_before_any_adaptation(client: Client) -> None:
    before = client.adapt_and_predict("line", None, None, [5, 6])
    assert before.adaptation is None
    assert len(before.values) == len(before.stds) == 2
    with pytest.raises(InvalidRequest):
        client.adapt_and_predict("points", None, None, POINTS)


def test_an_adaptation_goes_on_from_another(client: Client) -> None:
    first = client.adapt("steps", X, Y, options={"inner_steps": 1})
    second = first.adapt(X, Y, options={"inner_steps": 3})
    assert second.id != first.id
    assert second.support_loss < first.support_loss
    at_once = first.adapt_and_predict(X, Y, [5, 6], options={"inner_steps": 3})
    assert at_once.values == pytest.approx(second.predict([5, 6]).values, rel=1e-5)
    with pytest.raises(InvalidRequest):
        client.adapt("line", X, Y).adapt(X, Y)


def test_adaptations_are_listed_over_pages(client: Client) -> None:
    made = {client.adapt("few-ways", POINTS, [1, 1, 2, 2]).id for _ in range(3)}
    assert made <= {one.id for one in client.adaptations.list("few-ways")}
    assert client.adaptations.get(made.pop()).model.name == "few-ways"


def test_errors_are_typed_and_name_the_place(client: Client) -> None:
    with pytest.raises(InvalidRequest) as unknown:
        client.adapt("steps", X, Y, options={"nope": 1})
    assert unknown.value.errors[0].pointer == "/options/nope"
    assert unknown.value.request_id
    with pytest.raises(NotFound):
        client.adapt("line@nope", X, Y)
    with pytest.raises(InvalidRequest) as wide:
        client.adapt("line", [[1.0, 2.0]], [1.0])
    assert wide.value.errors[0].pointer.startswith("/support/inputs")
    with pytest.raises(InvalidRequest) as infinite:
        client.adapt("line", np.array([1.0, np.inf]), [1.0, 2.0])
    assert infinite.value.errors[0].pointer.startswith("/support/inputs/1")
    with pytest.raises(UnsupportedMediaType):
        client.datasets.upload(b"x", "d", media_type="text/plain")


def test_the_registry(client: Client) -> None:
    assert "line" in {model.name for model in client.models.list()}
    assert client.models.get("line").aliases["champion"] == 1
    artifact = client.models.download("line", 1)
    second = client.models.upload("line", artifact, alias="sdk")
    assert (second.version, second.aliases) == (2, ["sdk"])
    assert {one.version for one in client.models.versions("line")} >= {1, 2}
    alias = client.models.alias("line", "sdk")
    moved = client.models.set_alias("line", "sdk", 1, if_match=alias)
    assert moved.version == 1
    with pytest.raises(PreconditionFailed):
        client.models.set_alias("line", "sdk", 2, if_match=alias)
    with pytest.raises(PreconditionFailed):
        client.models.set_alias("line", "sdk", 2, only_new=True)
    client.models.delete_alias("line", "sdk", if_match=moved)
    with pytest.raises(NotFound):
        client.models.alias("line", "sdk")
    client.models.delete("line", 2)
    with pytest.raises(NotFound):
        client.models.version("line", 2)
    with pytest.raises(Conflict):
        client.models.delete("line", 1)


def test_datasets(client: Client, tmp_path: Any) -> None:
    table = tmp_path / "people.csv"
    table.write_text(
        "a,b,label,person\n" + "".join(f"{i},{i + 1},{'xy'[i % 2]},p{i % 3}\n" for i in range(12))
    )
    people = client.datasets.upload(table, inputs="a,b", target="label", task="person")
    assert (people.name, people.n_examples, people.n_classes, people.n_tasks) == ("people", 12, 2, 3)
    assert client.datasets.upload(table, inputs="a,b", target="label", task="person").id == people.id
    archive = tmp_path / "letters.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for label in "ab":
            for i in range(3):
                picture = io.BytesIO()
                Image.new("L", (8, 8), 40 * i).save(picture, format="PNG")
                file.writestr(f"{label}/{i}.png", picture.getvalue())
    assert client.datasets.upload(archive, "my letters").n_classes == 2
    arrays = client.datasets.upload_arrays(
        "arrays", np.zeros((6, 4), np.float32), ["a", "a", "a", "b", "b", "b"], tasks=[1, 1, 1, 2, 2, 2]
    )
    assert (arrays.n_classes, arrays.n_tasks) == (2, 2)
    assert {people.id, arrays.id} <= {one.id for one in client.datasets.list()}
    for one in (people, arrays):
        client.datasets.delete(one.id)
        with pytest.raises(NotFound):
            client.datasets.get(one.id)


def test_jobs_are_submitted_listed_and_cancelled(client: Client) -> None:
    job = client.train("sdk", recipe="functions", overrides={"training": {"iterations": 7}}, alias="best")
    assert job.status == "queued"
    assert job.config["training"]["iterations"] == 7
    assert job.id in {one.id for one in client.jobs.list(status="queued", model="sdk")}
    assert next(job.past_events()).type == "status"
    assert not list(job.checkpoints())
    assert job.pause().status == "paused"
    assert job.resume().status == "queued"
    assert job.cancel().status == "cancelled"
    assert [event.data["status"] for event in job.events()][-1] == "cancelled"
    with pytest.raises(Conflict):
        job.cancel()
    with pytest.raises(InvalidRequest):
        client.train("sdk", recipe="nope")


def test_recipes_limits_and_health(client: Client) -> None:
    assert "functions" in {recipe.name for recipe in client.recipes()}
    assert client.limits().ways == 8
    assert client.health().checks["engine"].ok


def test_the_asynchronous_client_answers_as_the_other_does(service: Service, client: Client) -> None:
    async def run() -> tuple[list[Any], list[str], list[str]]:
        async with AsyncClient(service.url) as asynchronous:
            adaptations = await asyncio.gather(*(asynchronous.adapt("line", X, Y) for _ in range(8)))
            predictions = await asyncio.gather(*(one.predict([5, 6]) for one in adaptations))
            names = [model.name async for model in asynchronous.models.list()]
            job = await asynchronous.train("sdk", recipe="functions")
            await job.cancel()
            events = [event.type async for event in job.events()]
            return [one.values for one in predictions], names, events

    values, names, events = asyncio.run(run())
    expected = client.adapt_and_predict("line", X, Y, [5, 6]).values
    for found in values:
        assert found == pytest.approx(expected, rel=1e-5)
    assert names == [model.name for model in client.models.list()]
    assert events[0] == events[-1] == "status"


def test_a_key_is_needed_where_there_are_any(own_service: Service) -> None:
    _, secret = own_service.services.access.create_key("ci")
    own_service.publish_models()
    with Client(own_service.url) as nobody, pytest.raises(AuthenticationError):
        nobody.adapt("line", X, Y)
    with Client(own_service.url, secret) as somebody:
        assert somebody.adapt("line", X, Y).n_support == 4
