"""What the service last said of an adaptation or a job: plain properties, the same for both clients."""

from datetime import datetime
from typing import Any

from .schemas.adaptations import AdaptationResponse, Escalation, Label, VersionReference
from .schemas.jobs import TERMINAL, JobErrorResponse, JobResponse, JobResult, JobStatus, ProgressResponse


class AdaptationState:
    """An adaptation as it was last seen; `response` is the whole answer."""

    def __init__(self, response: AdaptationResponse) -> None:
        self.response = response

    @property
    def id(self) -> str:
        """`adp_…`"""
        return self.response.id

    @property
    def model(self) -> VersionReference:
        """The version that was adapted; `str(adaptation.model)` is `name@version`."""
        return self.response.model

    @property
    def task(self) -> str:
        """`regression` or `classification`."""
        return self.response.task

    @property
    def classes(self) -> list[Label] | None:
        """The labels it knows, as the type they were given in; None for regression."""
        return self.response.classes

    @property
    def n_support(self) -> int:
        return self.response.n_support

    @property
    def n_columns(self) -> int | None:
        """The columns of its table; None for a model that takes exactly those of its signature."""
        return self.response.n_columns

    @property
    def support_loss(self) -> float:
        """Mean loss on the support set after adapting: squared error, or cross-entropy in nats."""
        return self.response.support_loss

    @property
    def escalation(self) -> Escalation | None:
        """Whether an encoder was tuned to the examples, with both scores; `str` says it in words.

        None: nobody asked for it, or the examples are too few or too many.
        """
        return self.response.escalation

    @property
    def revision(self) -> int:
        return self.response.revision

    @property
    def metadata(self) -> dict[str, Any]:
        return self.response.metadata

    @property
    def created_at(self) -> datetime:
        return self.response.created_at

    @property
    def expires_at(self) -> datetime | None:
        """None: kept until it is deleted."""
        return self.response.expires_at

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, model={str(self.model)!r})"


class JobState:
    """A job as it was last seen; `response` is the whole answer."""

    def __init__(self, response: JobResponse) -> None:
        self.response = response

    @property
    def id(self) -> str:
        """`job_…`"""
        return self.response.id

    @property
    def model(self) -> str:
        """The name that the trained version is registered under."""
        return self.response.model

    @property
    def status(self) -> JobStatus:
        return self.response.status

    @property
    def finished(self) -> bool:
        """Whether it succeeded, failed or was cancelled: nothing more will happen."""
        return self.response.status in TERMINAL

    @property
    def progress(self) -> ProgressResponse:
        return self.response.progress

    @property
    def metrics(self) -> dict[str, Any]:
        """The newest metrics; `meta_loss` while training."""
        return self.response.metrics

    @property
    def config(self) -> dict[str, Any]:
        """The resolved, complete configuration."""
        return self.response.config

    @property
    def result(self) -> JobResult | None:
        """The registered version once it succeeded."""
        return self.response.result

    @property
    def error(self) -> JobErrorResponse | None:
        return self.response.error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, {self.status!r}, model={self.model!r})"
