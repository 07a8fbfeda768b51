"""Support sets as they come over the wire, made into what the adaptation service takes."""

from app.requests.tensors import Attached, read_inputs, read_targets
from innerloop.schemas.adaptations import EpisodeBody, SupportBody
from services.adaptation.records import AnySupportInput, EpisodeInput, EpisodesInput, SupportInput
from services.errors import Fault, Invalid


def support_of(body: SupportBody, attached: Attached) -> AnySupportInput:
    """A support set's arrays, from any of the wire forms. Raises Invalid, Malformed."""
    given = body.model_fields_set
    if body.episodes is not None:
        if others := sorted(given - {"episodes"}):
            raise Invalid.at(f"/support/{others[0]}", "give either inputs and targets, or episodes")
        episodes = body.episodes
        return EpisodesInput(
            [_episode(one, f"/support/episodes/{number}", attached) for number, one in enumerate(episodes)]
        )
    classes = body.classes
    named = None if classes is None else read_targets(classes, "/support/classes", attached)
    if named is not None and not given & {"inputs", "targets"}:
        return SupportInput([], [], named)
    if missing := [name for name in ("inputs", "targets") if name not in given]:
        faults = [Fault(f"/support/{name}", "Field required") for name in missing]
        raise Invalid("a support set has inputs and targets, or episodes where the model is a policy", faults)
    return SupportInput(
        inputs=read_inputs(body.inputs, "/support/inputs", attached),
        targets=read_targets(body.targets, "/support/targets", attached),
        classes=named,
    )


def _episode(body: EpisodeBody, place: str, attached: Attached) -> EpisodeInput:
    log_probs = body.log_probs
    return EpisodeInput(
        observations=read_inputs(body.observations, f"{place}/observations", attached),
        actions=read_targets(body.actions, f"{place}/actions", attached),
        rewards=read_inputs(body.rewards, f"{place}/rewards", attached),
        terminated=body.terminated,
        log_probs=None if log_probs is None else read_inputs(log_probs, f"{place}/log_probs", attached),
    )
