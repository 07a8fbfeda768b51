"""Where the service keeps things."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class StorageSettings(BaseSettings):
    """`data_dir` holds everything unless `database_url` or `artifact_dir` points elsewhere."""

    model_config = SettingsConfigDict(
        env_prefix="INNERLOOP_", frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    data_dir: Path = Path("data")
    """Folder for the embedded databases, artifacts and uploads."""
    database_url: str | None = None
    """SQLAlchemy address of the service's tables; SQLite in `data_dir` when absent."""
    jobs_database_url: str | None = None
    """Address of the job engine's own tables; a second SQLite file in `data_dir`, or `database_url`."""
    artifact_dir: Path | None = None
    """Folder of content-named files, shared by api, engine and worker; `data_dir/artifacts` when absent."""

    encoder_dir: Path | None = None
    """Folder of pretrained encoders, one `name` or `owner/name` each, shared by api, engine and worker or equal for
    them; `data_dir/encoders` when absent. Only the operator puts anything there."""

    @property
    def tables_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'innerloop.db'}"

    @property
    def jobs_url(self) -> str:
        return (
            self.jobs_database_url or self.database_url or f"sqlite:///{self.data_dir.absolute() / 'jobs.db'}"
        )

    @property
    def artifacts_path(self) -> Path:
        return self.artifact_dir or self.data_dir.absolute() / "artifacts"

    @property
    def encoders_path(self) -> Path:
        return self.encoder_dir or self.data_dir.absolute() / "encoders"

    @property
    def features_path(self) -> Path:
        """What encoders made of datasets: may be emptied at any time."""
        return self.data_dir.absolute() / "features"

    @property
    def programs_path(self) -> Path:
        """Compiled programs: machine code that processes of this service run, so a folder of theirs alone."""
        return self.data_dir.absolute() / "compiled"
