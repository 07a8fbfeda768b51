"""Recipes of tables: small ones of any kind, and a student's answers."""

from datetime import UTC, datetime

from models.spec import (
    LearnerSpec,
    MamlSpec,
    MlpSpec,
    PriorFittedSpec,
    RowTransformerSpec,
    SequencesSpec,
    TablesSpec,
)
from models.training.config import MetaTrainingConfig, PretrainSpec, TrainingSpec
from models.training.recipes.recipe import Recipe

TABLES: tuple[Recipe, ...] = (
    Recipe(
        name="small-tables",
        description=(
            "Tables of up to 32 columns and 10 classes, by closed-form heads and a transformer fitted to synthetic "
            "tables that weighs them; a narrower table has zeros behind."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        config=MetaTrainingConfig(
            learner=LearnerSpec(algorithm=PriorFittedSpec(), network=RowTransformerSpec()),
            tasks=TablesSpec(columns=32, n_query=32),
            training=TrainingSpec(
                iterations=2000, meta_batch_size=16, meta_lr=2e-3, schedule="cosine", clip_norm=1.0
            ),
        ),
    ),
    Recipe(
        name="students",
        description="A student's next answers from the first ones: pretrained, then MAML, second order.",
        needs=(
            "Ordered answers: a categorical input skill, further inputs place and attempt, target 0 or 1, with the "
            "student as the task."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=MamlSpec(inner_steps=5, inner_lr=0.2), network=MlpSpec(hidden=(32,))
            ),
            tasks=SequencesSpec(dataset="", max_shot=80),
            training=TrainingSpec(
                iterations=400,
                meta_batch_size=16,
                meta_lr=0.002,
                schedule="cosine",
                pretrain=PretrainSpec(iterations=1000, batch_size=256, lr=0.01),
            ),
        ),
    ),
)
