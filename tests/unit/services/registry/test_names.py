"""What a model may be called, and how a reference to it reads."""

import pytest

from services.errors import Invalid, NotFound
from services.registry.names import Reference, check_alias, check_model_name, parse_reference


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("m", Reference("m")),
        ("my.model-2_b", Reference("my.model-2_b")),
        ("m@champion", Reference("m", alias="champion")),
        ("m@3", Reference("m", version=3)),
        ("7", Reference("7")),
        ("m@3a", Reference("m", alias="3a")),
    ],
)
def test_references(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "m@",
        "@3",
        "m@@3",
        "m@a@b",
        "../../etc/passwd",
        "m@../x",
        "m@0",
        "m@007",
        "m@-1",
        "m m",
        "m\n",
        "é",
    ],
)
def test_what_is_no_reference_is_found_nowhere(text: str) -> None:
    with pytest.raises(NotFound):
        parse_reference(text)


@pytest.mark.parametrize("text", ["x" * 129, "m@99999999999999999999", "m@\N{ARABIC-INDIC DIGIT THREE}"])
def test_nor_is_what_is_too_long_or_too_large(text: str) -> None:
    with pytest.raises(NotFound):
        parse_reference(text)


@pytest.mark.parametrize("name", ["m", "0", "a.b-c_d", "x" * 128])
def test_good_names(name: str) -> None:
    check_model_name(name)


@pytest.mark.parametrize("name", ["", ".m", "-m", "a/../b", "a b", "m\n", "x" * 129, "m@3"])
def test_bad_names(name: str) -> None:
    with pytest.raises(Invalid) as raised:
        check_model_name(name, "/model")
    assert raised.value.faults[0].pointer == "/model"
    with pytest.raises(Invalid):
        check_alias(name)


def test_an_alias_is_not_a_number() -> None:
    check_alias("3a")
    with pytest.raises(Invalid, match="number"):
        check_alias("3", "/publish/alias")
