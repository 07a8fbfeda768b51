"""Omniglot through the service: upload handwriting, meta-train, classify characters of alphabets never seen.

The characters of 25 alphabets are uploaded and ProtoNet is meta-trained on them as a job. Then come 20-way 1-shot
episodes of the classical protocol (Lake et al. 2015): 20 characters of one of the 5 other alphabets, one drawing
each by one person to adapt to, one drawing each by another person to classify. All of it goes over HTTP.

    python examples/omniglot.py --data images_background.zip --serve

The data file is `images_background.zip` of https://github.com/brendenlake/omniglot (`python/`), or an npz file that
holds `images` uint8 [N, 28, 28], `labels` and `drawer` [N], and `class_alphabet` by class. Only innerloop, numpy,
Pillow (for the zip) and matplotlib (for the picture) are used, but `--serve` needs the service installed.
"""

import argparse
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from innerloop import Client, ConnectionFailed

SOURCE = "https://github.com/brendenlake/omniglot"
WAYS = 20
SIDE = 28
HELD_OUT = 5
MODEL = "omniglot"


class Omniglot(NamedTuple):
    """images uint8 [N, 28, 28]; character and drawer int [N]; alphabet str [N]."""

    images: np.ndarray
    character: np.ndarray
    drawer: np.ndarray
    alphabet: np.ndarray


class Episode(NamedTuple):
    """Twenty drawings to adapt to and twenty to classify, in the same order of characters [20]."""

    alphabet: str
    characters: np.ndarray
    support: np.ndarray
    query: np.ndarray


class Answered(NamedTuple):
    """An episode with the character that the service saw in each query [20], and how sure it was."""

    episode: Episode
    labels: np.ndarray
    probabilities: np.ndarray

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.labels == self.episode.characters))


def read(path: Path) -> Omniglot:
    """The drawings of a file. Raises SystemExit, with what is wrong with it."""
    if not path.is_file():
        raise SystemExit(
            f"{path} is not there; --data names images_background.zip of {SOURCE}, or an npz file"
        )
    try:
        return read_zip(path) if path.suffix.lower() == ".zip" else read_npz(path)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise SystemExit(f"{path} does not hold Omniglot as `--help` describes it: {error}") from error


def read_zip(path: Path) -> Omniglot:
    """The official archive: Alphabet/characterNN/NNNN_DD.png, black on white, DD the drawer; 105 to 28 pixels."""
    from PIL import Image

    images, places = [], []
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith(".png") or "__MACOSX" in name:
                continue
            *_, alphabet, character, file = name.split("/")
            with archive.open(name) as stored, Image.open(stored) as image:
                small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
            images.append(255 - np.asarray(small))
            places.append((f"{alphabet}/{character}", alphabet, int(Path(file).stem.rpartition("_")[2])))
    if not images:
        raise ValueError("no drawings in it")
    characters, alphabets, drawers = (np.array(column) for column in zip(*places, strict=True))
    return Omniglot(np.stack(images), np.unique(characters, return_inverse=True)[1], drawers, alphabets)


def read_npz(path: Path) -> Omniglot:
    with np.load(path, allow_pickle=False) as file:
        labels = file["labels"].astype(int)
        return Omniglot(file["images"], labels, file["drawer"].astype(int), file["class_alphabet"][labels])


def hold_out(data: Omniglot, seed: int) -> list[str]:
    """Five alphabets that are large enough for 20 ways, drawn by `seed`."""
    names = np.unique(data.alphabet)
    large = [name for name in names if len(np.unique(data.character[data.alphabet == name])) >= WAYS]
    return sorted(np.random.default_rng(seed).choice(large, HELD_OUT, replace=False).tolist())


def draw(data: Omniglot, alphabets: list[str], generator: np.random.Generator) -> Episode:
    """Twenty characters of one alphabet, by two people."""
    alphabet = str(generator.choice(alphabets))
    inside = data.alphabet == alphabet
    characters = generator.choice(np.unique(data.character[inside]), WAYS, replace=False)
    first, second = generator.choice(np.unique(data.drawer[inside]), 2, replace=False)

    def drawings(drawer: int) -> np.ndarray:
        by_drawer = inside & (data.drawer == drawer)
        return np.stack([data.images[by_drawer & (data.character == one)][0] for one in characters])

    return Episode(alphabet, characters, drawings(first), drawings(second))


def train(
    client: Client, data: Omniglot, held_out: list[str], options: argparse.Namespace
) -> tuple[str, float]:
    """Upload the other alphabets and meta-train on them; the version and the seconds of training."""
    seen = ~np.isin(data.alphabet, held_out)
    dataset = client.datasets.upload_arrays(
        MODEL, data.images[seen], data.character[seen], tasks=data.alphabet[seen]
    )
    print(f"Uploaded {dataset.n_examples} drawings of {dataset.n_classes} characters: {dataset.id}")
    job = client.train(
        MODEL,
        learner={"algorithm": {"name": "protonet"}, "network": {"name": "conv4", "hidden": options.hidden}},
        tasks={
            "dataset": dataset.id,
            "n_way": WAYS,
            "n_shot": 1,
            "n_query": 5,
            "rotations": True,
            "test_fraction": 0.05,
        },
        training={
            "iterations": options.iterations,
            "meta_batch_size": 1,
            "meta_lr": 0.005,
            "schedule": "cosine",
            "seed": options.seed,
            "test_episodes": 200,
        },
        alias="champion",
    ).wait()
    assert job.result is not None
    assert job.response.started_at is not None
    assert job.response.finished_at is not None
    seconds = (job.response.finished_at - job.response.started_at).total_seconds()
    return f"{job.result.model}@{job.result.version}", seconds


def answer(client: Client, model: str, episode: Episode) -> Answered:
    """Adapt to the one person's drawings, classify the other's."""
    adaptation = client.adapt(model, episode.support, episode.characters, ttl_seconds=600)
    predictions = adaptation.predict(episode.query)
    adaptation.delete()
    return Answered(episode, np.array(predictions.labels), np.array([one.probability for one in predictions]))


def report(answered: list[Answered], seconds: float) -> None:
    """Accuracy over all episodes and by alphabet; the interval is the normal one over episodes."""
    accuracies = np.array([one.accuracy for one in answered])
    interval = 1.96 * accuracies.std(ddof=1) / np.sqrt(len(accuracies))
    print(f"\n{WAYS}-way 1-shot within one alphabet, another drawer's drawings, {len(answered)} episodes:")
    print(f"accuracy {accuracies.mean():.2%} ± {interval:.2%} (95 % interval)")
    for alphabet in sorted({one.episode.alphabet for one in answered}):
        inside = [one.accuracy for one in answered if one.episode.alphabet == alphabet]
        print(f"  {alphabet:45} {np.mean(inside):.1%} of {len(inside)} episodes")
    calls = 3 * len(answered)
    print(f"{seconds / len(answered) * 1000:.0f} ms an episode over HTTP ({calls} calls in {seconds:.1f} s)")


def picture(answered: list[Answered], path: Path) -> None:
    """The episode nearest to the mean: each query beside the character it was taken for."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("No picture: it needs matplotlib")
        return
    mean = np.mean([one.accuracy for one in answered])
    shown = min(answered, key=lambda one: abs(one.accuracy - mean))
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    figure.suptitle(
        f"20-way 1-shot, {shown.episode.alphabet.replace('_', ' ')}: {shown.accuracy:.0%} right. "
        "Left the drawing to classify, right the one it was taken for.",
        fontsize=11,
    )
    position = {int(character): i for i, character in enumerate(shown.episode.characters)}
    for i, axes in enumerate(figure.subplots(4, 5).flat):
        taken_for = position[int(shown.labels[i])]
        right = taken_for == i
        gap = np.zeros((28, 6), np.uint8)
        pair = np.hstack([shown.episode.query[i], gap, shown.episode.support[taken_for]])
        axes.imshow(255 - pair, cmap="gray", vmin=0, vmax=255)
        color = "#2f855a" if right else "#c53030"
        axes.set_title(
            f"{'right' if right else 'wrong'}, {shown.probabilities[i]:.0%}", color=color, fontsize=10
        )
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set(color=color, linewidth=2)
    figure.savefig(path, dpi=120)
    print(f"An episode with right and wrong answers: {path}")


@contextmanager
def service(options: argparse.Namespace) -> Iterator[str | None]:
    """The URL of a service: one that answers, or, with `--serve`, one of our own in a throw-away folder."""
    if not options.serve:
        yield options.url
        return
    from app.cli.child_server import ChildServer, choose_port, ending_on_signals

    with ending_on_signals(), tempfile.TemporaryDirectory(prefix="innerloop-omniglot-") as folder:
        server = ChildServer(Path(folder), choose_port(8000), Path(folder) / "serve.log")
        try:
            server.start()
            server.wait_ready()
            print(f"Serving at {server.url}")
            yield server.url
        finally:
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="images_background.zip, or an npz file")
    parser.add_argument("--url", help="the service; else INNERLOOP_URL, else http://127.0.0.1:8000")
    parser.add_argument(
        "--serve", action="store_true", help="start a service of our own and stop it at the end"
    )
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--hidden", type=int, default=64, help="channels of conv4")
    parser.add_argument("--episodes", type=int, default=400)
    parser.add_argument(
        "--seed", type=int, default=0, help="of the held-out alphabets, training and episodes"
    )
    parser.add_argument("--picture", type=Path, default=Path("omniglot.png"))
    options = parser.parse_args()
    data = read(options.data)
    held_out = hold_out(data, options.seed)
    print(f"Held out: {', '.join(held_out)}")
    with ExitStack() as stack:
        client = stack.enter_context(Client(stack.enter_context(service(options))))
        try:
            client.health()
        except ConnectionFailed as error:
            parser.exit(1, f"{error}; or let this example start one with --serve\n")
        model, seconds = train(client, data, held_out, options)
        print(f"Trained {model} in {seconds:.0f} s")
        generator, began = np.random.default_rng(options.seed), time.monotonic()
        answered = [answer(client, model, draw(data, held_out, generator)) for _ in range(options.episodes)]
        report(answered, time.monotonic() - began)
        picture(answered, options.picture)


if __name__ == "__main__":
    main()
