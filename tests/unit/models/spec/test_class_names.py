"""What a class is called, as words; and that nothing of it is written where a model has none."""

import msgspec
import pytest

from models.spec import LabelledSpec, Signature, TensorSpec, signature_of, words_of

BYTES = TensorSpec(datatype="BYTES", shape=(-1,))


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("lost_luggage", "lost luggage"),
        ("Refund-not_showing up", "Refund not showing up"),
        ("AddToPlaylist", "Add To Playlist"),
        ("oil_changeHow", "oil changeHow"),
        ("what's up?", "what's up?"),
        ("потеря_багажа", "потеря багажа"),
        ("नमस्ते", "नमस्ते"),
        ("a", "a"),
        ("17", ""),
        ("2026-11-27", ""),
        ("_ /", ""),
        ("", ""),
        (17, ""),
    ],
)
def test_a_label_is_words_where_it_has_letters(label: str | int, words: str) -> None:
    assert words_of(label) == words


def test_what_was_stored_before_has_no_names_and_its_bytes_stay() -> None:
    plain = b'{"inputs":{"datatype":"BYTES","shape":[-1]},"targets":{"datatype":"BYTES","shape":[-1]}}'
    signature = msgspec.json.decode(plain, type=Signature)
    assert not signature.class_names
    assert msgspec.json.encode(signature) == plain
    tasks = msgspec.json.decode(b'{"dataset":"ds_1"}', type=LabelledSpec)
    assert not tasks.class_names
    assert signature_of(tasks, ()) == signature


def test_a_model_of_tasks_with_names_has_them() -> None:
    signature = signature_of(LabelledSpec(dataset="ds_1", class_names=True), ())
    assert signature == Signature(inputs=BYTES, targets=BYTES, class_names=True)
    assert msgspec.json.decode(msgspec.json.encode(signature), type=Signature) == signature


def test_names_are_rows_of_the_largest_support_set() -> None:
    plain = LabelledSpec(dataset="ds_1", n_shot=2, max_shot=4)
    named = LabelledSpec(dataset="ds_1", n_shot=2, max_shot=4, class_names=True)
    assert (plain.support_rows(5), named.support_rows(5)) == (20, 25)
