"""Every settings class of the service, for the tests that hold files outside Python in step with them."""

from pydantic.fields import FieldInfo

from app.settings import HttpSettings
from services.engine.settings import EngineSettings
from services.jobs.settings import WorkerSettings
from services.storage.settings import StorageSettings
from services.telemetry.settings import LogSettings

SETTINGS = (HttpSettings, StorageSettings, EngineSettings, WorkerSettings, LogSettings)


def variables() -> dict[str, FieldInfo]:
    """Every environment variable that the service reads, by name, with the setting that it fills."""
    found: dict[str, FieldInfo] = {}
    for settings in SETTINGS:
        for name, field in settings.model_fields.items():
            found.setdefault(f"INNERLOOP_{name.upper()}", field)
    return found


def table() -> str:
    """The table of them in docs/configuration.md."""
    rows = [
        f"| `{name}` | {_default(field)} | {' '.join((field.description or '').split())} |"
        for name, field in variables().items()
    ]
    return "\n".join(["| variable | default | what it says |", "|---|---|---|", *rows])


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "by the machine"
    return "" if field.default is None else f"`{field.default}`"
