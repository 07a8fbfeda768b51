"""The built-in configurations, by name. Plain data, no torch: the api lists them, a job resolves one."""

from datetime import UTC, datetime

import msgspec

from models.spec import (
    AugmentSpec,
    AutoSpec,
    CheetahSpec,
    Conv1dSpec,
    Conv4Spec,
    EncoderSpec,
    FunctionsSpec,
    LabelledSpec,
    LearnerSpec,
    MamlPolicySpec,
    MamlSpec,
    MlpSpec,
    NavigationSpec,
    PpoSpec,
    PriorFittedSpec,
    ProtoNetSpec,
    ResNet12Spec,
    RidgeSpec,
    SequencesSpec,
    SinusoidSpec,
    TablesSpec,
    TableTransformerSpec,
    TrpoSpec,
)
from models.training.config import MetaTrainingConfig, PretrainSpec, TrainingSpec


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration that is known to work, with what it is for and what it reaches.

    `created_at` is when its figures were last measured; it changes with the configuration. A recipe whose tasks
    come from a dataset says in `needs` which; its configuration leaves `tasks.dataset` empty for the caller to
    name. What it reaches and how long it takes is in `recipe_figures`.
    """

    name: str
    description: str
    created_at: datetime = datetime(2026, 11, 23, tzinfo=UTC)
    config: MetaTrainingConfig
    needs: str = ""


_OMNIGLOT = "Omniglot's background set (Lake et al. 2015): images [n, 28, 28], bright on dark, by character"


def _cheetah(tasks: CheetahSpec, outer: TrpoSpec, iterations: int) -> MetaTrainingConfig:
    """The settings that the tested policies of Finn et al. 2017 were trained with."""
    return MetaTrainingConfig(
        learner=LearnerSpec(algorithm=MamlPolicySpec(), network=MlpSpec(hidden=(100, 100))),
        tasks=tasks,
        training=TrainingSpec(iterations=iterations, meta_batch_size=40, test_episodes=40, outer=outer),
    )


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        name="clinc-minilm",
        description=(
            "Intents of short texts on the sentence encoder all-MiniLM-L6-v2: a linear map of its features and the "
            "default head's calibration."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        needs="Short texts and their intents (CLINC150, Larson et al. 2019): a table of texts and labels.",
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=AutoSpec(),
                network=EncoderSpec(encoder="sentence-transformers/all-MiniLM-L6-v2", projection=384),
            ),
            tasks=LabelledSpec(dataset="", n_way=20, n_shot=1, n_query=5, dropout=0.3, test_fraction=0.5),
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
            tasks=LabelledSpec(dataset="", n_way=20, n_shot=1, n_query=2, test_fraction=0.5),
            training=TrainingSpec(iterations=200, meta_batch_size=1, meta_lr=0.002, schedule="cosine"),
        ),
    ),
    Recipe(
        name="digits-speakers",
        description="Spoken digits of people never heard, by prototypes of a series network: 10-way, 1 shot.",
        needs=(
            "Spoken digits (free-spoken-digit-dataset): series [n, frames, bands] of a log spectrum in 0..1, "
            "with the speaker as the task."
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
            "exponentials; on those four points it depends on the seed: errors of 0.08 and 0.03 at seed 0, of 0.28 "
            "and 0.57 at seed 1."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=MamlSpec(inner_steps=10, inner_lr=0.05),
                network=MlpSpec(hidden=(64,)),
                normalise=True,
            ),
            tasks=FunctionsSpec(),
            training=TrainingSpec(
                iterations=2000,
                meta_batch_size=8,
                meta_lr=0.005,
                schedule="cosine",
                clip_norm=1.0,
                pretrain=PretrainSpec(iterations=300, batch_size=256, lr=1e-3),
            ),
        ),
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
            "0.35 after one, five and ten inner steps, the paper's table. On rare tasks ten "
            "steps diverge; at the paper's constant rate on more of them."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=MamlSpec(inner_steps=1, inner_lr=0.01), network=MlpSpec(hidden=(40, 40))
            ),
            tasks=SinusoidSpec(n_shot=5, n_query=5),
            training=TrainingSpec(iterations=70_000, meta_batch_size=25, meta_lr=0.003, schedule="cosine"),
        ),
    ),
    Recipe(
        name="sinusoid-maml-paper",
        description=(
            "The same as the paper trains it, 70,000 iterations at a constant rate; squared error below 0.35, 0.16 "
            "and 0.12 after one, five and ten inner steps."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=MamlSpec(inner_steps=1, inner_lr=0.01), network=MlpSpec(hidden=(40, 40))
            ),
            tasks=SinusoidSpec(n_shot=10, n_query=10),
            training=TrainingSpec(iterations=70_000, meta_batch_size=25, meta_lr=0.001),
        ),
    ),
    Recipe(
        name="sinusoid-mamlpp-k5",
        description=(
            "The sinusoids of five points by MAML++: rates learned for every step, and a loss after each of three; "
            "squared error about 0.6, 0.21 and 0.19 after one, five and ten inner steps, on 8,000 tasks."
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
    Recipe(
        name="small-tables",
        description=(
            "Tables of up to 8 columns and 10 classes, by a transformer fitted to synthetic ones; a narrower table "
            "has zeros behind. An hour and more on two cores; what the benchmark is measured with is larger."
        ),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        config=MetaTrainingConfig(
            learner=LearnerSpec(
                algorithm=PriorFittedSpec(), network=TableTransformerSpec(width=48, layers=3, rows=64)
            ),
            tasks=TablesSpec(columns=8, max_shot=32, n_query=32),
            training=TrainingSpec(
                iterations=20_000, meta_batch_size=16, meta_lr=2e-3, schedule="cosine", clip_norm=1.0
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
