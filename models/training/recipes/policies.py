"""Recipes of policies that act in environments."""

from datetime import UTC, datetime

from models.spec import CheetahSpec, LearnerSpec, MamlPolicySpec, MlpSpec, NavigationSpec, PpoSpec, TrpoSpec
from models.training.config import MetaTrainingConfig, TrainingSpec
from models.training.recipes.recipe import Recipe


def _cheetah(tasks: CheetahSpec, outer: TrpoSpec, iterations: int) -> MetaTrainingConfig:
    """The settings that the tested policies of Finn et al. 2017 were trained with."""
    return MetaTrainingConfig(
        learner=LearnerSpec(algorithm=MamlPolicySpec(), network=MlpSpec(hidden=(100, 100))),
        tasks=tasks,
        training=TrainingSpec(iterations=iterations, meta_batch_size=40, test_episodes=40, outer=outer),
    )


POLICIES: tuple[Recipe, ...] = (
    Recipe(
        name="rml-mg-cheetah-direction",
        description=(
            "MuJoCo's half cheetah forwards or backwards, which it is not told, by MAML and TRPO as set by "
            "Finn et al. 2017. Needs the extra `rl`."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        config=_cheetah(CheetahSpec(goal="direction", n_trajectories=20), TrpoSpec(divergence=0.02), 100),
    ),
    Recipe(
        name="rml-mg-cheetah-velocity",
        description="The same cheetah at a speed that it is not told. Needs the extra `rl`.",
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        config=_cheetah(CheetahSpec(goal="velocity", n_trajectories=10), TrpoSpec(divergence=0.01), 475),
    ),
    Recipe(
        name="rml-mg-navigation",
        description=(
            "A policy that finds an unknown goal in the plane from 20 trajectories: meta-gradient reinforcement "
            "learning (ProMP) on the 2-D navigation of Finn et al. 2017."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=MamlPolicySpec(inner_steps=3, inner_lr=0.1, later_lr=0.03, initial_std=0.5),
                network=MlpSpec(hidden=(64, 64), activation="tanh"),
            ),
            tasks=NavigationSpec(n_trajectories=20, horizon=100),
            training=TrainingSpec(
                iterations=100,
                meta_batch_size=20,
                meta_lr=0.005,
                schedule="cosine",
                test_episodes=40,
                outer=PpoSpec(epochs=3),
            ),
        ),
    ),
)
