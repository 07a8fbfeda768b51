"""Recipes of functions: curves of one variable, the sinusoids of the papers, lines of any scale."""

from datetime import UTC, datetime

from models.spec import FunctionsSpec, LearnerSpec, MamlSpec, MlpSpec, RidgeSpec, SinusoidSpec
from models.training.config import MetaTrainingConfig, PretrainSpec, TrainingSpec
from models.training.recipes.recipe import Recipe

CURVES: tuple[Recipe, ...] = (
    Recipe(
        name="functions",
        description=(
            "The starter: curves of one variable (lines, parabolas, sinusoids, exponentials), with a standard "
            "deviation on every answer."
        ),
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=RidgeSpec(components=6), network=MlpSpec(hidden=(48, 32), activation="gelu")
            ),
            tasks=FunctionsSpec(noise=0.05),
            training=TrainingSpec(iterations=2500, meta_batch_size=16, meta_lr=0.02, schedule="cosine"),
        ),
    ),
    Recipe(
        name="rml-mg-functions",
        description=(
            "Initialise, pretrain, meta-train with the full second-order gradient: lines of any scale by a network "
            "of ten hidden units; from (1, 2) (2, 4) (3, 6) (4, 8) the errors at 5 and 6 are below 0.3 within ten "
            "inner steps."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=MamlSpec(inner_steps=5, inner_lr=0.1), network=MlpSpec(hidden=(10,)), normalise=True
            ),
            tasks=FunctionsSpec(kinds=("line",)),
            training=TrainingSpec(
                iterations=2000,
                meta_batch_size=16,
                meta_lr=0.01,
                schedule="cosine",
                pretrain=PretrainSpec(iterations=500, batch_size=256, lr=1e-3),
            ),
        ),
    ),
    Recipe(
        name="rml-mg-functions-wide",
        description=(
            "The same three phases by a wider network on the mixture of lines, parabolas, sinusoids and "
            "exponentials, many of which nobody can foretell from their points: errors count by their logarithm "
            "where they are large. On those four points the errors are below 0.3 as well."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=MamlSpec(inner_steps=10, inner_lr=0.05, robust=1.0),
                network=MlpSpec(hidden=(64,)),
                normalise=True,
            ),
            tasks=FunctionsSpec(),
            training=TrainingSpec(
                iterations=3000,
                meta_batch_size=16,
                meta_lr=0.005,
                schedule="cosine",
                pretrain=PretrainSpec(iterations=300, batch_size=256, lr=1e-3),
            ),
        ),
    ),
    Recipe(
        name="sinusoid-maml",
        description=(
            "The sinusoids of Finn et al. 2017 by MAML, second order, K = 10; squared error below 0.5 after one "
            "inner step and below 0.2 after ten."
        ),
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=MamlSpec(inner_steps=1, inner_lr=0.01), network=MlpSpec(hidden=(40, 40))
            ),
            tasks=SinusoidSpec(n_shot=10, n_query=10),
            training=TrainingSpec(iterations=10_000, meta_batch_size=50, meta_lr=0.01, schedule="cosine"),
        ),
    ),
    Recipe(
        name="sinusoid-maml-k5",
        description=(
            "The sinusoids of Finn et al. 2017 by MAML from five points, K = 5; squared error below 0.67, 0.38 and "
            "0.35 after one, five and ten inner steps, the paper's table. Inner gradients are clipped: else ten "
            "steps run away on one task in thousands, and the mean with them."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=MamlSpec(inner_steps=1, inner_lr=0.01, inner_clip=80.0),
                network=MlpSpec(hidden=(40, 40)),
            ),
            tasks=SinusoidSpec(n_shot=5, n_query=5),
            training=TrainingSpec(iterations=70_000, meta_batch_size=25, meta_lr=0.003, schedule="cosine"),
        ),
    ),
    Recipe(
        name="sinusoid-maml-paper",
        description=(
            "The same as the paper trains it, 70,000 iterations at a constant rate; squared error below 0.35, 0.16 "
            "and 0.12 after one, five and ten inner steps. Inner gradients are "
            "clipped: else ten steps run away on one task in thousands."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=MamlSpec(inner_steps=1, inner_lr=0.01, inner_clip=80.0),
                network=MlpSpec(hidden=(40, 40)),
            ),
            tasks=SinusoidSpec(n_shot=10, n_query=10),
            training=TrainingSpec(iterations=70_000, meta_batch_size=25, meta_lr=0.001),
        ),
    ),
    Recipe(
        name="sinusoid-mamlpp-k5",
        description=(
            "The sinusoids of five points by MAML++: rates learned for every step, and a loss after each of three; "
            "squared error about 0.59, 0.22 and 0.22 after one, five and ten inner steps, on 8,000 tasks."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=MamlSpec(inner_steps=3, learned_rates="per_step", step_loss_decay=0.5),
                network=MlpSpec(hidden=(40, 40)),
            ),
            tasks=SinusoidSpec(n_shot=5, n_query=5),
            training=TrainingSpec(iterations=2500, meta_batch_size=25, meta_lr=0.005, schedule="cosine"),
        ),
    ),
    Recipe(
        name="sinusoid-ridge",
        description=(
            "The same sinusoids by Bayesian ridge regression on learned features; squared error below 0.005 "
            "from ten points."
        ),
        config=MetaTrainingConfig(
            learner=LearnerSpec(algorithm=RidgeSpec(), network=MlpSpec(hidden=(40, 40), activation="tanh")),
            tasks=SinusoidSpec(n_shot=10, n_query=10),
            training=TrainingSpec(iterations=2000, meta_batch_size=25, meta_lr=0.01, schedule="cosine"),
        ),
    ),
)
