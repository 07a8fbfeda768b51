"""The Innerloop SDK: adapt a meta-trained model to a new task from a handful of examples, over HTTP.

>>> from innerloop import Client
>>> adaptation = Client().adapt("functions", [1, 2, 3, 4], [2, 4, 6, 8])    # doctest: +SKIP
>>> adaptation.predict([5, 6]).values                                       # doctest: +SKIP
[9.99, 11.98]

Names are imported when they are first used: the command line starts from this package too, and need not wait for
an HTTP client to print its help.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .adaptation import Adaptation as Adaptation
    from .alias import Alias as Alias
    from .async_adaptation import AsyncAdaptation as AsyncAdaptation
    from .async_client import AsyncClient as AsyncClient
    from .async_job import AsyncJob as AsyncJob
    from .client import Client as Client
    from .errors import APIError as APIError
    from .errors import AuthenticationError as AuthenticationError
    from .errors import BadRequest as BadRequest
    from .errors import Conflict as Conflict
    from .errors import ConnectionFailed as ConnectionFailed
    from .errors import InnerloopError as InnerloopError
    from .errors import InvalidInput as InvalidInput
    from .errors import InvalidRequest as InvalidRequest
    from .errors import JobCancelled as JobCancelled
    from .errors import JobFailed as JobFailed
    from .errors import NotFound as NotFound
    from .errors import PermissionDenied as PermissionDenied
    from .errors import PreconditionFailed as PreconditionFailed
    from .errors import RateLimited as RateLimited
    from .errors import ServerError as ServerError
    from .errors import ServiceUnavailable as ServiceUnavailable
    from .errors import TooLarge as TooLarge
    from .errors import UnexpectedAnswer as UnexpectedAnswer
    from .errors import UnsupportedMediaType as UnsupportedMediaType
    from .errors import WaitTimeout as WaitTimeout
    from .job import Job as Job
    from .predictions import Predictions as Predictions
    from .schemas.predictions import ActionPrediction as ActionPrediction
    from .schemas.predictions import ClassPrediction as ClassPrediction
    from .schemas.predictions import RegressionPrediction as RegressionPrediction

_HOMES = {
    "ActionPrediction": ".schemas.predictions",
    "Adaptation": ".adaptation",
    "Alias": ".alias",
    "AsyncAdaptation": ".async_adaptation",
    "AsyncClient": ".async_client",
    "AsyncJob": ".async_job",
    "ClassPrediction": ".schemas.predictions",
    "Client": ".client",
    "Job": ".job",
    "Predictions": ".predictions",
    "RegressionPrediction": ".schemas.predictions",
    **dict.fromkeys(
        [
            "APIError",
            "AuthenticationError",
            "BadRequest",
            "Conflict",
            "ConnectionFailed",
            "InnerloopError",
            "InvalidInput",
            "InvalidRequest",
            "JobCancelled",
            "JobFailed",
            "NotFound",
            "PermissionDenied",
            "PreconditionFailed",
            "RateLimited",
            "ServerError",
            "ServiceUnavailable",
            "TooLarge",
            "UnexpectedAnswer",
            "UnsupportedMediaType",
            "WaitTimeout",
        ],
        ".errors",
    ),
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
