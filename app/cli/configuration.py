"""Settings for a command: its options, else the environment, else the defaults; or a message and the end."""

import sys
from typing import Any, NoReturn, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from app.cli.supervisor import MISCONFIGURED

S = TypeVar("S", bound=BaseSettings)


def configured(kind: type[S], **options: Any) -> S:
    """The settings; options that are None were not given."""
    try:
        return kind(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        faults = [f"{prefix}{fault['loc'][0]}".upper() + f": {fault['msg']}" for fault in error.errors()]
        refuse("; ".join(faults))


def refuse(message: str) -> NoReturn:
    """End with a message, and the status that tells the supervisor not to try again."""
    print(f"innerloop: {message}", file=sys.stderr)
    sys.exit(MISCONFIGURED)
