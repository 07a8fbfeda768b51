"""The two kinds of wire type. A request refuses what it does not know; a response lets newer servers add."""

import pydantic


class RequestBody(pydantic.BaseModel):
    """Sent by a client. An unknown field is an error: it is nearly always a misspelt one."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class ResponseBody(pydantic.BaseModel):
    """Sent by the service. Fields that this version does not know are ignored."""

    # `model` is the contract's own word, so pydantic's `model_` namespace is not kept for pydantic.
    model_config = pydantic.ConfigDict(extra="ignore", frozen=True, protected_namespaces=())
