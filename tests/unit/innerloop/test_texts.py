"""Lists of texts on their way up: a table, where arrays would be an npz file."""

import csv
import io

import pytest

from innerloop import InvalidInput
from tests import answers
from tests.unit.innerloop.calls import BOTH, call


@BOTH
def test_texts_are_uploaded_as_a_table(kind):
    script = answers.Script(answers.dataset())
    texts, labels = ["where is it, please?", 'say "now"'], ["a", "b"]
    call(kind, script, lambda client: client.datasets.upload_arrays("mine", texts, labels, tasks=[3, 4]))
    assert script.requests[0].headers["Content-Type"] == "text/csv"
    assert dict(script.requests[0].url.params) == {
        "name": "mine",
        "inputs": "text",
        "target": "target",
        "task": "task",
    }
    rows = list(csv.reader(io.StringIO(script.bodies[0].decode())))
    assert rows == [["text", "target", "task"], [texts[0], "a", "3"], [texts[1], "b", "4"]]
    with pytest.raises(InvalidInput, match="2 inputs, 1 target"):
        call(kind, script, lambda client: client.datasets.upload_arrays("mine", texts, ["a"]))


@BOTH
def test_classes_are_a_list(kind):
    script = answers.Script(answers.adaptation())
    for wrong in ("refund", {"refund": 1}, 5, ["refund", 5]):
        with pytest.raises(InvalidInput, match="classes"):
            call(kind, script, lambda client, given=wrong: client.adapt("m", ["a"], ["b"], classes=given))
    assert not script.requests
