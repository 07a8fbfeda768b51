"""Support sets as they come over the wire, made into what the adaptation service takes."""

from app.requests.tensors import Attached, read_inputs, read_targets
from innerloop.schemas.adaptations import SupportBody
from services.adaptation.records import SupportInput


def support_of(body: SupportBody, attached: Attached) -> SupportInput:
    """A support set's arrays, from any of the wire forms."""
    return SupportInput(
        inputs=read_inputs(body.inputs, "/support/inputs", attached),
        targets=read_targets(body.targets, "/support/targets", attached),
    )
