"""A policy that learns a new goal from a few episodes, with the environment on this side of the wire.

The service knows nothing of this environment: it is asked what to do, told how that went, and asked again. A
Gymnasium environment puts a point in a plane with a goal that nobody is told; the rewards are minus the distance to
it. Twenty episodes make one step of the inner loop, three steps an adapted policy. Returns and paths, before and
after each step, are drawn into a picture. Needs a running service, which `make run` gives, and gymnasium and
matplotlib:

    .venv/bin/python -m pip install gymnasium matplotlib
    .venv/bin/python examples/navigation.py

The first run meta-trains the base by the recipe `rml-mg-navigation` (some minutes on 2 CPU cores).
"""

import argparse
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from innerloop import Client, InnerloopError, NotFound

HORIZON = 100
STEPS = 3


class PointGoal(gymnasium.Env[np.ndarray, np.ndarray]):
    """A point that starts in the middle and moves by at most 0.1 each way; the episode ends at the goal."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gymnasium.spaces.Box(-0.1, 0.1, (2,), np.float32)

    def __init__(self, goal: np.ndarray) -> None:
        self._goal = goal
        self._place = np.zeros(2, np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed, options=options)
        self._place = np.zeros(2, np.float32)
        return self._place.copy(), {}

    def step(self, action: np.ndarray) -> Any:
        self._place = self._place + np.clip(action, -0.1, 0.1).astype(np.float32)
        away = self._place - self._goal
        return self._place.copy(), -float(np.linalg.norm(away)), bool((abs(away) < 0.01).all()), False, {}


def collect(act: Any, goal: np.ndarray, episodes: int, seed: int) -> list[dict[str, Any]]:
    """Episodes side by side, the policy asked once for all of them at each step."""
    # An episode that has ended stays where it is; what it is asked after its end is not kept.
    world = SyncVectorEnv([lambda: PointGoal(goal)] * episodes, autoreset_mode=AutoresetMode.DISABLED)
    seen, _ = world.reset(seed=seed)
    found: list[dict[str, Any]] = [
        {"observations": [], "actions": [], "rewards": [], "log_probs": [], "terminated": False}
        for _ in range(episodes)
    ]
    for moment in range(HORIZON):
        answer = act(seen, seed=seed + moment)
        actions = np.array(answer.actions, np.float32)
        before = seen.copy()
        seen, rewards, ended, _, _ = world.step(actions)
        for number, episode in enumerate(found):
            if not episode["terminated"]:
                episode["observations"].append(before[number].tolist())
                # As it was sampled, before the environment clips it: that is what its log_prob belongs to.
                episode["actions"].append(answer.actions[number])
                episode["log_probs"].append(answer.log_probs[number])
                episode["rewards"].append(float(rewards[number]))
                episode["terminated"] = bool(ended[number])
        if all(episode["terminated"] for episode in found):
            break
    world.close()
    return found


def mean_return(episodes: list[dict[str, Any]]) -> float:
    return float(np.mean([sum(episode["rewards"]) for episode in episodes]))


def base(client: Client, model: str, iterations: int) -> None:
    """See that the base is there; meta-train it where it is not."""
    try:
        client.models.get(model)
    except NotFound:
        print(f"Meta-training {model} by rml-mg-navigation, {iterations} iterations ...")
        job = client.train(
            model,
            recipe="rml-mg-navigation",
            overrides={"training": {"iterations": iterations}},
            alias="champion",
        )
        job.wait(progress=True)


def learn(
    client: Client, model: str, goal: np.ndarray, episodes: int, seed: int
) -> list[list[dict[str, Any]]]:
    """The episodes before any step and after each: collect, adapt, act, collect, adapt further, ..."""
    stages = [collect(lambda seen, seed: client.act(model, seen, seed=seed), goal, episodes, seed)]
    policy = None
    for step in range(STEPS):
        policy = (
            client.adapt_to_episodes(model, stages[-1])
            if policy is None
            else policy.adapt_to_episodes(stages[-1])
        )
        stages.append(collect(policy.act, goal, episodes, seed + 1000 * (step + 1)))
    return stages


def draw(goals: np.ndarray, tasks: list[list[list[dict[str, Any]]]], path: str) -> None:
    """Returns of all goals after each step, and the paths to the first goals."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = min(3, len(goals))
    figure, axes = pyplot.subplots(1, 1 + shown, figsize=(4 * (1 + shown), 4), layout="constrained")
    returns = np.array([[mean_return(stage) for stage in stages] for stages in tasks])
    axes[0].plot(returns.T, color="0.8")
    axes[0].plot(returns.mean(0), color="C0", marker="o", linewidth=2)
    axes[0].set(
        xlabel="inner steps", ylabel="return", title="before and after adapting", xticks=range(STEPS + 1)
    )
    for number in range(shown):
        panel = axes[1 + number]
        for step, stage in enumerate(tasks[number]):
            for episode in stage[:5]:
                places = np.array(episode["observations"])
                panel.plot(*places.T, color=f"C{step}", alpha=0.6, linewidth=1)
            panel.plot([], color=f"C{step}", label=f"{step} steps")
        panel.plot(*goals[number], marker="*", color="black", markersize=12)
        panel.set(title=f"goal {number + 1}", xlim=(-0.8, 0.8), ylim=(-0.8, 0.8), aspect="equal")
    axes[-1].legend(loc="upper right", fontsize="small")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="navigation")
    parser.add_argument("--goals", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=20, help="an inner step learns from")
    parser.add_argument(
        "--iterations", type=int, default=100, help="of meta-training, where there is no base"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", default="navigation.png")
    given = parser.parse_args()
    goals = np.random.default_rng(given.seed).uniform(-0.5, 0.5, (given.goals, 2)).astype(np.float32)
    with Client() as client:
        base(client, given.model, given.iterations)
        tasks = []
        for number, goal in enumerate(goals):
            stages = learn(client, given.model, goal, given.episodes, given.seed + 10_000 * number)
            tasks.append(stages)
            told = "  ".join(f"{mean_return(stage):7.2f}" for stage in stages)
            print(f"goal {goal[0]:+.2f} {goal[1]:+.2f}   return after 0, 1, 2, 3 steps: {told}")
    draw(goals, tasks, given.picture)
    print(f"Paths and returns are in {given.picture}.")


if __name__ == "__main__":
    try:
        main()
    except InnerloopError as error:
        raise SystemExit(f"{error}") from None
