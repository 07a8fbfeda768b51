"""Images and series from the upload to a prediction: warps, members, views and their networks on the way."""

import numpy as np
import pytest

from innerloop import Client
from tests.integration.server import Server

CLASSES, OF_EACH = 8, 6
Array = np.ndarray


def _series() -> tuple[Array, Array]:
    """Sines, a pitch for each class: float [n, T, C] that images could not be."""
    generator = np.random.default_rng(0)
    labels = np.arange(CLASSES).repeat(OF_EACH)
    time = np.arange(24)[None, :, None] * np.array([1.0, 2.0])
    phase = generator.uniform(0, 6, (len(labels), 1, 1))
    return 3 * np.sin(time * (0.1 + 0.1 * labels[:, None, None]) + phase), labels


def _images() -> tuple[Array, Array]:
    """A bar for each class, wider from one to the next; no two are equally bright, for equal ones would be one."""
    labels = np.arange(CLASSES).repeat(OF_EACH)
    images = np.zeros((len(labels), 20, 20), np.uint8)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        image[4:16, 3 : 5 + 2 * label] = 255 - number
    return images, labels


@pytest.mark.parametrize("network", ["conv1d", "series_transformer"])
def test_series(server: Server, network: str) -> None:
    inputs, labels = _series()
    with Client(str(server.http.base_url)) as client:
        dataset = client.datasets.upload_arrays("sines", inputs, labels, series=True)
        assert list(dataset.signature.inputs.shape) == [-1, 24, 2]
        job = client.train(
            network.replace("_", "-"),
            learner={"algorithm": {"name": "protonet"}, "network": {"name": network, "hidden": 8}},
            tasks={"dataset": dataset.id, "n_way": 3, "n_query": 2},
            training={"iterations": 5, "meta_batch_size": 2, "test_episodes": 4},
        ).wait()
        assert job.result is not None
        adaptation = client.adapt(f"{job.result.model}@1", inputs[::OF_EACH], labels[::OF_EACH])
        assert adaptation.predict(inputs[::OF_EACH]).labels == list(range(CLASSES))


def test_images_by_an_ensemble_of_views(server: Server) -> None:
    images, labels = _images()
    with Client(str(server.http.base_url)) as client:
        dataset = client.datasets.upload_arrays("bars", images, labels)
        job = client.train(
            "bars",
            learner={
                "algorithm": {"name": "protonet"},
                "network": {"name": "resnet12", "width": 0.125},
                "members": 2,
                "views": 3,
            },
            tasks={
                "dataset": dataset.id,
                "n_way": 2,
                "n_query": 2,
                "rotations": True,
                "train_ways": 4,
                "augment": {"shift": 0.1, "elastic": 0.01, "stroke": 0.2},
                "task_augment": {"flip": True},
            },
            training={"iterations": 5, "meta_batch_size": 1, "test_episodes": 4},
        ).wait()
        assert job.result is not None
        learner = client.models.version("bars", 1).learner
        assert (learner.members, learner.views, learner.normalise) == (2, 3, False)
        adaptation = client.adapt("bars@1", images[::OF_EACH], labels[::OF_EACH])
        assert adaptation.predict(images[::OF_EACH]).labels == list(range(CLASSES))
