"""How a process speaks about itself."""

from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict


class LogSettings(BaseSettings):
    """Read by every process."""

    model_config = SettingsConfigDict(
        env_prefix="INNERLOOP_", frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    log_format: Literal["json", "plain"] = "plain"
    """`json` gives one object a line, for machines; `plain` gives text, for people."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least serious line that is written: `DEBUG`, `INFO`, `WARNING` or `ERROR`."""
