"""Names of classes beside a caller's examples: where they stand, what they count for, and what has none."""

from typing import Any

import numpy as np
import pytest

from models.spec import AutoSpec, EncoderSpec, LearnerSpec, MatchingNetSpec, Signature, TensorSpec
from services.adaptation.cost import call_cost, check_cost, learner_cost
from services.adaptation.limits import Limits
from services.adaptation.records import SupportInput
from services.adaptation.support import PreparedSupport, prepare_support
from services.engine.messages import Support
from services.errors import Invalid

LABELS = TensorSpec(datatype="BYTES", shape=(-1,))
TEXTS = Signature(inputs=LABELS, targets=LABELS)
NAMED = Signature(inputs=LABELS, targets=LABELS, class_names=True)
LIMITS = Limits(call_characters=60, ways=4)


def prepared(
    targets: Any, signature: Signature = NAMED, inputs: list[str] | None = None, classes: Any = None
) -> PreparedSupport:
    inputs = inputs or [f"text {place}" for place in range(len(targets))]
    return prepare_support(SupportInput(inputs, targets, classes), signature, None, LIMITS)


def told(one: PreparedSupport) -> tuple[list[str], list[int]]:
    assert isinstance(one.support, Support)
    return one.support.inputs.texts(), one.support.targets.numpy().tolist()


def test_names_stand_before_the_examples_in_the_order_of_classes() -> None:
    one = prepared(["lost_luggage", "YesOrNo", "lost_luggage"])
    assert told(one) == (["lost luggage", "Yes Or No", "text 0", "text 1", "text 2"], [0, 1, 0, 1, 0])
    assert one.classes == ["lost_luggage", "YesOrNo"]
    assert (one.size, one.n_names, one.ways) == (3, 2, 2)


@pytest.mark.parametrize("targets", [[17, 0], np.array([17, 0]), ["17", "0"]])
def test_numbers_are_no_words(targets: Any) -> None:
    one = prepared(targets)
    assert told(one) == (["", "", "text 0", "text 1"], [0, 1, 0, 1])
    assert one.size == 2


def test_a_model_without_them_gets_examples_alone() -> None:
    one = prepared(["lost_luggage", "yes"], TEXTS)
    assert told(one) == (["text 0", "text 1"], [0, 1])
    assert (one.size, one.n_names) == (2, 0)


@pytest.mark.parametrize(
    ("targets", "inputs", "pointer", "words"),
    [
        (["a" * 30, "b" * 26], None, "/support/targets", "68 characters, the classes' own names counted"),
        (["a", "b"], ["x" * 30, "y" * 31], "/support/inputs", "60"),
        (["a", "b"], ["x", " "], "/support/inputs/1", "empty"),
        (["a", "a"], None, "/support/targets", "one class only"),
        (["a", "b", "c", "d", "e"], None, "/support/targets", "4 at most"),
    ],
)
def test_what_is_refused(targets: Any, inputs: Any, pointer: str, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        prepared(targets, inputs=inputs)
    assert [fault.pointer for fault in caught.value.faults] == [pointer]
    assert words in caught.value.faults[0].detail


def test_a_class_may_have_a_name_alone() -> None:
    one = prepared(["yes"], classes=["no_thanks", "yes"])
    assert told(one) == (["yes", "no thanks", "text 0"], [0, 1, 0])
    assert (one.classes, one.size) == (["yes", "no_thanks"], 1)
    none = prepared([], classes=["yes", "no"])
    assert told(none) == (["yes", "no"], [0, 1])
    assert none.size == 0


def test_classes_of_one_name_are_told_apart_by_their_examples() -> None:
    one = prepared(["no_thanks", "no-thanks"], classes=["yes"])
    assert told(one) == (["no thanks", "no thanks", "yes", "text 0", "text 1"], [0, 1, 2, 0, 1])


@pytest.mark.parametrize("classes", [[], np.zeros(0, np.float32)])
def test_no_further_classes_are_as_if_none_were_given(classes: Any) -> None:
    assert told(prepared(["yes", "no"], classes=classes)) == told(prepared(["yes", "no"]))


@pytest.mark.parametrize(
    ("targets", "classes", "signature", "pointer", "words"),
    [
        (["yes"], ["17"], NAMED, "/support/classes", "no words"),
        ([], ["no_thanks", "no-thanks"], NAMED, "/support/classes", "reads as 'no-thanks'"),
        (["no thanks"], ["NoThanks"], NAMED, "/support/classes", "'NoThanks' has no example"),
        ([1], [2], NAMED, "/support/classes", "no words"),
        ([], ["yes"], NAMED, "/support/classes", "one class only"),
        ([], ["a", "b", "c", "d", "e"], NAMED, "/support/classes", "4 at most"),
        ([], [], NAMED, "/support/classes", "no classes"),
        ([], np.zeros(0, np.float32), NAMED, "/support/classes", "no classes"),
        ([1, 2], ["billing"], NAMED, "/support/classes", "all strings, or all integers"),
        (np.array([1, 2]), ["billing"], NAMED, "/support/classes", "all strings, or all integers"),
        (["1", "2"], [1], NAMED, "/support/classes", "all strings, or all integers"),
        ([], [1.5], NAMED, "/support/classes/0", "strings or integers"),
        (["yes", "no"], ["perhaps"], TEXTS, "/support/classes", "class_names"),
    ],
)
def test_a_class_that_nothing_is_known_of_is_refused(
    targets: Any, classes: Any, signature: Signature, pointer: str, words: str
) -> None:
    with pytest.raises(Invalid) as caught:
        prepared(targets, signature, classes=classes)
    assert [fault.pointer for fault in caught.value.faults] == [pointer]
    assert words in caught.value.faults[0].detail


def _learner(algorithm: Any) -> LearnerSpec:
    return LearnerSpec(algorithm=algorithm, network=EncoderSpec(encoder="small", width=8))


def test_a_call_costs_what_its_names_do_too() -> None:
    learner = _learner(AutoSpec())
    cost = learner_cost(learner, NAMED, None)
    assert call_cost(cost, learner.algorithm, 10, 4, 5, names=5) == call_cost(
        cost, learner.algorithm, 15, 4, 5
    )


def test_they_are_no_examples_to_tune_an_encoder_to() -> None:
    learner = _learner(AutoSpec(escalate="lora"))
    cost = learner_cost(learner, NAMED, None)
    eight, ten = (call_cost(cost, learner.algorithm, size, 4, ways=2, names=2) for size in (8, 10))
    assert ten.bytes > 2 * eight.bytes


def test_what_keeps_its_examples_keeps_names_too() -> None:
    learner = _learner(MatchingNetSpec(max_support=6))
    cost = learner_cost(learner, NAMED, None)
    check_cost(cost, learner.algorithm, 4, 1, Limits(), ways=2, names=2)
    with pytest.raises(Invalid, match="5 examples and 2 names of classes; this model keeps 6"):
        check_cost(cost, learner.algorithm, 5, 1, Limits(), ways=2, names=2)


def test_names_that_are_too_many_are_refused_where_they_are() -> None:
    learner = _learner(MatchingNetSpec(max_support=6))
    cost = learner_cost(learner, NAMED, None)
    for limits, names in ((Limits(), 7), (Limits(call_bytes=1), 6)):
        with pytest.raises(Invalid) as caught:
            check_cost(cost, learner.algorithm, 0, 0, limits, ways=names, names=names)
        assert [fault.pointer for fault in caught.value.faults] == ["/support/classes"]
