"""What a model makes of a csv file's columns: which it takes, in which order, and its kinds by their names.

Knows a version's record; reads no file.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from innerloop import NotFound

if TYPE_CHECKING:
    from innerloop import Client
    from innerloop.schemas.models import ModelVersionResponse

# Where an adaptation of a base that takes any table keeps which columns it was adapted to.
METADATA = "columns"


class ModelColumns(NamedTuple):
    """`names` in the model's order, empty where it has none; `kinds` the categories of those that have some.

    `most` is how many columns a table may have of a base for any; 0 for other models.
    """

    names: tuple[str, ...] = ()
    kinds: Mapping[str, Sequence[str]] = {}
    most: int = 0


def of_model(client: "Client", reference: str) -> ModelColumns:
    """The columns of the version that `name`, `name@alias` or `name@3` stands for; none where there is no such."""
    name, _, which = reference.partition("@")
    try:
        if not which.isdecimal():
            found = client.models.get(name)
            number = found.aliases.get(which or "champion", None if which else found.latest_version)
        else:
            number = int(which)
        return ModelColumns() if number is None else _of(client.models.version(name, number))
    except NotFound:
        return ModelColumns()  # adapting says so itself, and what to do


def of_adaptation(client: "Client", adaptation: str) -> ModelColumns:
    """The columns of the version that was adapted; of a base for any table those that it was adapted to."""
    response = client.adaptations.get(adaptation).response
    found = _of(client.models.version(response.model.name, response.model.version))
    remembered = response.metadata.get(METADATA)
    if found.names or not isinstance(remembered, list):
        return found
    return found._replace(names=tuple(str(name) for name in remembered))


def _of(version: "ModelVersionResponse") -> ModelColumns:
    signature: Any = version.signature
    columns = getattr(signature, "columns", [])
    names = tuple(column.name for column in columns)
    if names and all(names):
        return ModelColumns(
            names, {column.name: column.categories for column in columns if column.categories}
        )
    if version.learner.takes_fewer_columns:
        return ModelColumns(most=signature.inputs.shape[-1])
    return ModelColumns()
