"""The HTTP edge's own settings: where it listens, who may come in, how much they may send."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class HttpSettings(BaseSettings):
    """Read by the api process, and by `serve`, which opens the port for it."""

    model_config = SettingsConfigDict(
        env_prefix="INNERLOOP_", frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    host: str = "127.0.0.1"
    """Address to listen on; beyond loopback only with a key."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    api_key: SecretStr | None = None
    """A key that is accepted besides the stored ones; with it, every route but health asks for one. Empty: none."""
    body_bytes: int = Field(default=16 << 20, ge=1)
    """Largest request body, but for files."""
    dataset_bytes: int = Field(default=256 << 20, ge=1)
    """Largest dataset file."""
    artifact_bytes: int = Field(default=256 << 20, ge=1)
    """Largest model version file."""
    upload_dir: Path | None = None
    """Folder for uploads while they are read; the system's temporary folder when absent."""
    graceful_seconds: float = Field(default=5.0, ge=0.0)
    """At shutdown, how long requests in flight may take to finish."""

    @field_validator("api_key")
    @classmethod
    def _empty_is_none(cls, key: SecretStr | None) -> SecretStr | None:
        """As `INNERLOOP_API_KEY=` says it; and a key from a file may end with a line break."""
        text = key.get_secret_value().strip() if key is not None else ""
        return SecretStr(text) if text else None
