"""Recipes of labelled classes: texts, spoken digits, characters. Their examples come from a dataset."""

from datetime import UTC, datetime

from models.spec import (
    AugmentSpec,
    AutoSpec,
    Conv1dSpec,
    Conv4Spec,
    EncoderSpec,
    LabelledSpec,
    LearnerSpec,
    LocalMatchingSpec,
    MamlSpec,
    ProtoNetSpec,
    ResNet12Spec,
    ResNetMapsSpec,
)
from models.training.config import MetaTrainingConfig, TrainingSpec
from models.training.recipes.recipe import Recipe

_OMNIGLOT = "Omniglot's background set (Lake et al. 2015): images [n, 28, 28], bright on dark, by character"

LABELLED: tuple[Recipe, ...] = (
    Recipe(
        name="clinc-minilm",
        description=(
            "Intents of short texts on the sentence encoder all-MiniLM-L6-v2, by examples and by what they are "
            "called: a linear map of its features and the default head's calibration."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        needs="Short texts and their intents (CLINC150, Larson et al. 2019): a table of texts and labels.",
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=AutoSpec(),
                network=EncoderSpec(encoder="sentence-transformers/all-MiniLM-L6-v2", projection=384),
            ),
            tasks=LabelledSpec(
                dataset="", n_way=20, n_shot=1, n_query=5, dropout=0.3, class_names=True, test_fraction=0.5
            ),
            training=TrainingSpec(iterations=400, meta_batch_size=4, meta_lr=0.0003, schedule="cosine"),
        ),
    ),
    Recipe(
        name="clinc-minilm-lora",
        description="The same intents by an encoder whose attention is tuned for them, in its top three layers.",
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        needs="Short texts and their intents (CLINC150, Larson et al. 2019): a table of texts and labels.",
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=AutoSpec(),
                network=EncoderSpec(encoder="sentence-transformers/all-MiniLM-L6-v2", tuning="lora"),
            ),
            # Many intents in a step, few steps, a low rate: what goes further from the encoder as it was tells
            # apart the intents that it saw, and others no better.
            tasks=LabelledSpec(
                dataset="", n_way=20, n_shot=1, n_query=2, train_ways=45, class_names=True, test_fraction=0.5
            ),
            training=TrainingSpec(iterations=90, meta_batch_size=1, meta_lr=0.0005, schedule="cosine"),
        ),
    ),
    Recipe(
        name="digits-speakers",
        description="Spoken digits of people never heard, by prototypes of a series network: 10-way, 1 shot.",
        needs=(
            "Spoken digits (free-spoken-digit-dataset): series [n, frames, bands] of a log spectrum in 0..1, "
            "in an npz's array `series`, with the speaker as the task."
        ),
        config=MetaTrainingConfig(
            learner=LearnerSpec(algorithm=ProtoNetSpec(), network=Conv1dSpec(hidden=64)),
            tasks=LabelledSpec(dataset="", n_way=10, n_query=5, within_task=True, test_fraction=1 / 3),
            training=TrainingSpec(
                iterations=800, meta_batch_size=1, meta_lr=0.002, schedule="cosine", test_episodes=1000
            ),
        ),
    ),
    Recipe(
        name="omniglot-maml",
        description=(
            "Characters among random others, turned ones as classes of their own, by MAML, second order: 5-way, "
            "1 shot."
        ),
        needs=f"{_OMNIGLOT}.",
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=MamlSpec(inner_steps=3, inner_lr=0.2), network=Conv4Spec(hidden=32)
            ),
            tasks=LabelledSpec(dataset="", n_way=5, n_query=5, rotations=True),
            training=TrainingSpec(
                iterations=10_000, meta_batch_size=8, meta_lr=0.003, schedule="cosine", test_episodes=1000
            ),
        ),
    ),
    Recipe(
        name="omniglot-protonet",
        description=(
            "Characters among random others, turned ones as classes of their own, by prototypes: 5-way and 20-way, "
            "1 shot."
        ),
        needs=f"{_OMNIGLOT}.",
        config=MetaTrainingConfig(
            learner=LearnerSpec(algorithm=ProtoNetSpec(), network=ResNet12Spec(width=0.25)),
            tasks=LabelledSpec(
                dataset="",
                n_way=20,
                n_query=5,
                rotations=True,
                train_ways=60,
                augment=AugmentSpec(shift=0.06, rotate=8, scale=0.1, shear=0.1, elastic=0.015, stroke=0.3),
            ),
            training=TrainingSpec(
                iterations=2500, meta_batch_size=1, meta_lr=0.002, schedule="cosine", test_episodes=1000
            ),
        ),
    ),
    Recipe(
        name="omniglot-within-alphabet",
        description=(
            "Characters among those of their own alphabet, of alphabets never seen: 20-way, 1 shot, by prototypes."
        ),
        needs=f"{_OMNIGLOT}, with its alphabet as the task.",
        config=MetaTrainingConfig(
            learner=LearnerSpec(algorithm=ProtoNetSpec(), network=ResNet12Spec(width=0.25), views=5),
            tasks=LabelledSpec(
                dataset="",
                n_way=20,
                n_query=3,
                within_task=True,
                rotations=True,
                train_ways=60,
                test_fraction=1 / 6,
                augment=AugmentSpec(shift=0.08, rotate=12, scale=0.15, shear=0.15, elastic=0.02, stroke=0.4),
                task_augment=AugmentSpec(rotate=15, scale=0.2, shear=0.3, flip=True),
            ),
            training=TrainingSpec(
                iterations=4000, meta_batch_size=1, meta_lr=0.002, schedule="cosine", test_episodes=1000
            ),
        ),
    ),
    Recipe(
        name="omniglot-within-alphabet-parts",
        description=(
            "Characters among those of their own alphabet, of alphabets never seen, part by part: 20-way, 1 shot, "
            "by an hour of one CPU."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        needs=f"{_OMNIGLOT}, with its alphabet as the task.",
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=LocalMatchingSpec(max_support=120, rivals=0.2),
                network=ResNetMapsSpec(width=64, centred=True),
                views=3,
                turns=4,
            ),
            tasks=LabelledSpec(
                dataset="",
                n_way=20,
                n_query=1,
                within_task=True,
                rotations=True,
                turns_apart=True,
                train_ways=40,
                test_fraction=1 / 6,
                augment=AugmentSpec(shift=0.04, rotate=6, scale=0.075, shear=0.075, elastic=0.01, stroke=0.2),
                task_augment=AugmentSpec(rotate=15, scale=0.2, shear=0.3, flip=True),
                invented=0.25,
            ),
            training=TrainingSpec(
                iterations=24_000,
                meta_batch_size=1,
                meta_lr=0.004,
                schedule="cosine",
                optimizer="muon",
                precision="bfloat16",
                test_episodes=400,
            ),
        ),
    ),
)
