"""Your own classes, end to end: draw letters, upload them, meta-train, adapt to five new ones, classify.

Thirty-two letters are drawn a few times each, by a shaky hand, and uploaded as a zip of class folders. ProtoNet is
meta-trained on them as a job. Then the model gets one drawing each of five letters that it has never seen, and says
which of the five each of fifty other drawings is. Needs a running service, which `make run` gives:

    .venv/bin/python examples/letters.py

Only innerloop and Pillow are used. About a minute on 2 CPU cores.
"""

import argparse
import io
import random
import zipfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from innerloop import Client, InnerloopError

SEEN = "ABCDEFGHIJLMNOPQSTUVWXYZ23456789"
NEW = "Kghre"
SIDE = 28
DRAWINGS = 20


def draw(letter: str, hand: random.Random) -> Image.Image:
    """A letter, dark on white, 28 x 28 pixels: turned, slanted, shifted and of a size and weight of its own."""
    large = Image.new("L", (4 * SIDE, 4 * SIDE), 255)
    font = ImageFont.load_default(size=hand.randint(64, 84))
    ImageDraw.Draw(large).text(
        (2 * SIDE, 2 * SIDE), letter, fill=0, font=font, anchor="mm", stroke_width=hand.randint(0, 3)
    )
    slant, squeeze = hand.uniform(-0.3, 0.3), hand.uniform(0.85, 1.2)
    across, down = hand.uniform(-8, 8), hand.uniform(-8, 8)
    placed = (squeeze, slant, across - 2 * SIDE * (squeeze + slant - 1), 0, 1, down)
    drawn = large.transform(large.size, Image.Transform.AFFINE, placed, fillcolor=255)
    drawn = drawn.rotate(hand.uniform(-20, 20), Image.Resampling.BICUBIC, fillcolor=255)
    return drawn.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def class_folders(letters: str, hand: random.Random) -> bytes:
    """A zip with a folder of PNG files for every letter."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for letter in letters:
            for number in range(DRAWINGS):
                png = io.BytesIO()
                draw(letter, hand).save(png, "PNG")
                archive.writestr(f"{letter}/{number}.png", png.getvalue())
    return file.getvalue()


def train(client: Client, letters: bytes, iterations: int) -> str:
    """Upload and meta-train; the reference of the version. 5-way 1-shot is what it will be asked for."""
    dataset = client.datasets.upload(letters, name="letters", media_type="application/zip")
    print(f"Uploaded {dataset.n_examples} drawings of {dataset.n_classes} letters: {dataset.id}")
    job = client.train(
        "letters",
        learner={"algorithm": {"name": "protonet"}, "network": {"name": "conv4", "hidden": 32}},
        tasks={"dataset": dataset.id, "n_way": 5, "n_shot": 1, "n_query": 5, "rotations": True},
        training={"iterations": iterations, "meta_batch_size": 4, "meta_lr": 0.003, "test_episodes": 200},
        alias="champion",
    )
    job.wait(progress=True)
    return f"letters@{job.result.version}"


def picture(support: list[Image.Image], queries: list[Image.Image], labels: list[str], path: Path) -> None:
    """A row a letter: the drawing that was given, then those that were not, each above what it was taken for."""
    cell, gap, scale = 2 * SIDE + 24, 30, 2
    per_row = len(queries) // len(NEW)
    sheet = Image.new("RGB", (gap + cell * (per_row + 1), cell * len(NEW) + 24), "white")
    pen, small = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
    pen.text((8, 4), "given", fill="#1b2330", font=small)
    pen.text((cell + gap, 4), "classified, and as what", fill="#1b2330", font=small)
    for row, letter in enumerate(NEW):
        top = 24 + row * cell
        sheet.paste(support[row].resize((scale * SIDE, scale * SIDE)), (4, top))
        for column in range(per_row):
            left, place = gap + cell * (column + 1), row * per_row + column
            sheet.paste(queries[place].resize((scale * SIDE, scale * SIDE)), (left, top))
            colour = "#2f855a" if labels[place] == letter else "#c53030"
            pen.rectangle((left, top, left + scale * SIDE, top + scale * SIDE), outline=colour, width=2)
            pen.text(
                (left + SIDE, top + scale * SIDE + 1), labels[place], fill=colour, font=small, anchor="ma"
            )
    sheet.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="the service; else INNERLOOP_URL, else http://127.0.0.1:8000")
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0, help="of the hand that draws")
    parser.add_argument("--picture", type=Path, default=Path("letters.png"))
    options = parser.parse_args()
    hand = random.Random(options.seed)
    with Client(options.url) as client:
        try:
            model = train(client, class_folders(SEEN, hand), options.iterations)
            support = [draw(letter, hand) for letter in NEW]
            truth = [letter for letter in NEW for _ in range(10)]
            queries = [draw(letter, hand) for letter in truth]
            adaptation = client.adapt(model, support, list(NEW))
            predictions = adaptation.predict(queries)
        except InnerloopError as error:
            parser.exit(1, f"{error}\n")
    right = sum(label == letter for label, letter in zip(predictions.labels, truth, strict=True))
    first = predictions[0]
    print(f"\nAdapted {model} to {', '.join(NEW)} from one drawing each: {adaptation.id}")
    print(
        f"The first query is a {truth[0]}: taken for {first.label}, with probability {first.probability:.2f}"
    )
    print(f"{right} of {len(truth)} right ({right / len(truth):.0%})")
    picture(support, queries, predictions.labels, options.picture)
    print(f"The picture is in {options.picture}")


if __name__ == "__main__":
    main()
