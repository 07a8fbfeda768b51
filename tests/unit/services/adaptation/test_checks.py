"""Which encoders may be tuned to a task, and what is told where one is not."""

import msgspec
import pytest

from models.spec import AutoSpec, EncoderSpec, LearnerSpec, MamlSpec, MlpSpec, Signature, TensorSpec
from services.adaptation.checks import check_escalation, check_options, unescalated
from services.errors import Invalid

LABELS = TensorSpec(datatype="BYTES", shape=(-1,))
TEXTS = Signature(inputs=LABELS, targets=LABELS)
POINTS = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 3)), targets=LABELS)
PICTURES = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 8, 8, 1)), targets=LABELS)
ENCODED = LearnerSpec(algorithm=AutoSpec(), network=EncoderSpec(encoder="small", width=4))
PLAIN = LearnerSpec(algorithm=AutoSpec(), network=MlpSpec())
LORA = {"escalate": "lora"}


def test_an_encoder_of_texts_may_be_tuned() -> None:
    check_escalation(ENCODED, TEXTS, LORA)
    assert check_options(ENCODED.algorithm, LORA) == AutoSpec(escalate="lora")


@pytest.mark.parametrize(
    ("learner", "signature"),
    [
        (PLAIN, POINTS),
        (ENCODED, PICTURES),
        (msgspec.structs.replace(ENCODED, members=2), TEXTS),
    ],
)
def test_nothing_else_may_and_is_served_as_ever(learner: LearnerSpec, signature: Signature) -> None:
    check_escalation(learner, signature, {})
    check_escalation(learner, signature, {"escalate": "never"})
    with pytest.raises(Invalid) as caught:
        check_escalation(learner, signature, LORA)
    assert [fault.pointer for fault in caught.value.faults] == ["/options/escalate"]


@pytest.mark.parametrize(("support", "ways", "told"), [(9, 2, True), (10, 2, False), (257, 2, True)])
def test_too_few_and_too_many_are_told(support: int, ways: int, told: bool) -> None:
    assert bool(unescalated(AutoSpec(escalate="lora"), support, ways)) == told
    assert unescalated(AutoSpec(), support, ways) == ()
    assert unescalated(MamlSpec(), support, ways) == ()
