"""The life of one turn as a durable workflow: begin, chunks of training, meta-test, publish.

Only the order of the steps is decided here, and only from what they answered: DBOS runs this function again from
the top when a worker died, with the recorded answers of the steps that had finished.
"""

from collections.abc import Callable
from typing import Any

from services.jobs.steps import Steps

# Runs a named step with its arguments, or gives the answer that it gave before.
StepRunner = Callable[..., Any]


def carry(steps: Steps, step: StepRunner, job_id: str, turn: int) -> None:
    """Take a job from the queue to its end, or to where this turn of it is over."""
    if not step("begin", steps.begin, job_id, turn):
        return
    outcome = "more"
    while outcome == "more":
        outcome = step("train", steps.train, job_id, turn)
    if outcome == "over":
        return
    scores = step("evaluate", steps.evaluate, job_id, turn)
    if scores is not None:
        step("publish", steps.publish, job_id, turn, scores)
