"""What a meta-training job may say, as Markdown, for the test that holds docs/jobs.md in step with the specs.

python -P -m tests.specs        prints what stands between the page's marks
"""

import inspect
import json
from collections.abc import Iterator
from typing import Any

import msgspec

from models.training.config import MetaTrainingConfig

Schema = dict[str, Any]

_KINDS = {
    "algorithm": "Algorithms, `learner.algorithm`",
    "network": "Networks, `learner.network`",
    "tasks": "Tasks, `tasks`",
    "outer": "Outer steps of a policy, `training.outer`",
}
_PARTS = {
    "LearnerSpec": "`learner`",
    "TrainingSpec": "`training`",
    "PretrainSpec": "`training.pretrain`",
    "AugmentSpec": "`tasks.augment`, `tasks.task_augment`",
}


def reference() -> str:
    """Every part of a configuration: what its spec says of it, and a table of its fields."""
    _, specs = msgspec.json.schema_components([MetaTrainingConfig])
    owners = [specs[name] for name in ("MetaTrainingConfig", *_PARTS)]
    unions = {
        field: choices
        for owner in owners
        for field, schema in owner["properties"].items()
        if (choices := _choices(schema))
    }
    lines: list[str] = []
    for name, title in _PARTS.items():
        lines += [f"## {title}", "", *_section(specs[name])]
    for field, title in _KINDS.items():
        lines += [f"## {title}", ""]
        for tag, ref in sorted(unions[field].items()):
            lines += [f"### `{tag}`", "", *_section(specs[ref.rpartition("/")[2]])]
    return "\n".join(lines).strip()


def _choices(schema: Schema) -> dict[str, str]:
    """The tags of a union of specs, and where each is; {} for anything else."""
    inner = next((one for one in schema.get("anyOf", ()) if "discriminator" in one), schema)
    mapping: dict[str, str] = inner.get("discriminator", {}).get("mapping", {})
    return mapping


def _section(spec: Schema) -> list[str]:
    fields = [(name, field) for name, field in spec["properties"].items() if not _is_tag(name, field)]
    text = [inspect.cleandoc(spec["description"]), ""]
    if not fields:
        return text
    rows = [
        f"| `{name}` | {_values(field)} | {_default(field, name in spec.get('required', ()))} |"
        for name, field in fields
    ]
    return [*text, "| field | takes | default |", "|---|---|---|", *rows, ""]


def _is_tag(name: str, field: Schema) -> bool:
    return name in ("name", "family") and "enum" in field and "default" not in field


def _default(field: Schema, is_required: bool) -> str:
    if is_required:
        return "has to be given"
    default = field.get("default")
    return "none" if default is None else f"`{json.dumps(default)}`" if default != {} else "its own"


def _values(field: Schema) -> str:
    if _choices(field):
        return "one of those below"
    if "anyOf" in field:
        return " or ".join(_values(one) for one in field["anyOf"] if one.get("type") != "null")
    if "$ref" in field:
        return "an object, with a table of its own"
    if "enum" in field:
        return ", ".join(f"`{json.dumps(one)}`" for one in field["enum"])
    if field.get("type") == "array":
        count = f" of up to {field['maxItems']}" if "maxItems" in field else ""
        kind = "strings" if field["items"] == {"type": "string"} else _values(field["items"])
        return f"a list{count}: {kind}"
    bounds = " ".join(_bounds(field))
    return f"{field.get('type', 'anything')} {bounds}".strip()


def _bounds(field: Schema) -> Iterator[str]:
    for bound, words in (
        ("exclusiveMinimum", "above"),
        ("minimum", "from"),
        ("exclusiveMaximum", "below"),
        ("maximum", "to"),
        ("multipleOf", "in steps of"),
    ):
        if bound in field:
            number = field[bound]
            yield f"{words} {number:,}" if isinstance(number, int) else f"{words} {number:g}"


if __name__ == "__main__":
    print(reference())
