"""What recipes were seen to reach, and how long they took. Plain data; what a run's own steps foretell says so.

The sources are docs/benchmarks/*.json and docs/benchmarks.md: two CPU cores (x86_64), and one NVIDIA H200 with 16.
None where nothing was measured, and where other settings than the recipe's were measured, those are named.
"""

import msgspec


class RecipeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """`reaches` on tasks that were not trained on; `cpu` on two cores and `gpu` on one GPU, of training."""

    reaches: str | None = None
    cpu: str | None = None
    gpu: str | None = None


FIGURES: dict[str, RecipeFigures] = {
    "functions": RecipeFigures(
        reaches="four points of y = 2x: errors of 0.0005 and 0.0003 at x = 5 and 6", cpu="23 s", gpu="2 s"
    ),
    "sinusoid-maml": RecipeFigures(
        reaches="squared error 0.341 / 0.103 after 1 / 10 inner steps", cpu="30 s", gpu="4 s"
    ),
    "sinusoid-maml-k5": RecipeFigures(
        reaches="squared error 0.554 / 0.340 / 0.302 after 1 / 5 / 10 inner steps",
        cpu="4 min; 20 s once compiled",
        gpu="33 s, by its own steps",
    ),
    "sinusoid-maml-paper": RecipeFigures(
        reaches="squared error 0.336 / 0.149 / 0.110 after 1 / 5 / 10 inner steps",
        cpu="4 min; 27 s once compiled",
        gpu="35 s, by its own steps",
    ),
    "sinusoid-mamlpp-k5": RecipeFigures(
        reaches="squared error 0.593 / 0.215 / 0.221 after 1 / 5 / 10 inner steps",
        cpu="22 s; 3 s once compiled",
        gpu="3 s",
    ),
    "sinusoid-ridge": RecipeFigures(reaches="squared error 5e-5", cpu="9 s", gpu="1.5 s"),
    "small-tables": RecipeFigures(
        reaches="mean rank 1.23 of five on ten real tables of classes, and first",
        cpu="7 min on one core",
        gpu="4 min, by its own steps",
    ),
    "omniglot-protonet": RecipeFigures(
        reaches="99.32 ± 0.16 % 5-way, 97.75 ± 0.15 % 20-way (network.width 0.5)",
        cpu="26 min, by its own steps",
        gpu="24 s, by its own steps; 59 s (network.width 0.5, 1,861 iterations)",
    ),
    "omniglot-maml": RecipeFigures(
        reaches="98.30 ± 0.24 % (network.hidden 64)",
        cpu="38 min, by its own steps",
        gpu="88 s, by its own steps; 119 s (network.hidden 64, 4,624 iterations of 16 tasks)",
    ),
    "omniglot-within-alphabet": RecipeFigures(
        reaches="88.7 ± 0.6 % (members 4, network.width 0.5)",
        cpu="26 min, by its own steps",
        gpu="29 s, by its own steps; 183 s (members 4, network.width 0.5, 4,268 iterations)",
    ),
    "omniglot-within-alphabet-parts": RecipeFigures(
        reaches="92.8 ± 0.3 %; 93.1 ± 0.1 % (network.width 128, 10,572 iterations of 4 tasks)",
        cpu="50 min on one core",
        gpu="1.6 min, by its own steps; 5.5 min (network.width 128, 10,572 iterations of 4 tasks)",
    ),
    "digits-speakers": RecipeFigures(reaches="85.8 ± 0.4 %", cpu="27 s", gpu="1.6 s"),
    "clinc-minilm": RecipeFigures(
        reaches="97.3 / 99.0 % 5-way at 1 / 5 shots, 91.7 % 75-way at 5, told what classes are called",
        cpu="28 s on one core, once its texts are encoded",
        gpu="25 s, by its own steps, once its texts are encoded",
    ),
    "clinc-minilm-lora": RecipeFigures(
        reaches="97.7 / 99.2 % 5-way at 1 / 5 shots, 92.5 % 75-way at 5, told what classes are called",
        cpu="222 s on one core",
        gpu="9 s, by its own steps",
    ),
    "students": RecipeFigures(
        reaches="AUC of a student's next answer 0.736 / 0.725 / 0.705 after 5 / 20 / 50 answers (assist2009)",
        cpu="7 s",
        gpu="18 s after pretraining, by its own steps",
    ),
    "rml-mg-functions": RecipeFigures(
        reaches=(
            "four points of y = 2x: errors of 0.03 and 0.06 at x = 5 and 6 after 10 inner steps, "
            "the worst of 4 seeds"
        ),
        cpu="9 s",
        gpu="2.5 s",
    ),
    "rml-mg-functions-wide": RecipeFigures(
        reaches=(
            "four points of y = 2x: errors of 0.08 and 0.18 at x = 5 and 6 after 10 inner steps, "
            "the worst of 4 seeds"
        ),
        cpu="32 s",
        gpu="5 s",
    ),
    "rml-mg-navigation": RecipeFigures(
        reaches="return -35.1 / -12.9 / -4.3 / -2.2 after 0 / 1 / 2 / 3 inner steps",
        cpu="4 min",
        gpu="58 s, by its own steps",
    ),
    "rml-mg-cheetah-velocity": RecipeFigures(
        reaches="return -121.0 / -85.0 / -78.3 / -70.5 after 0 / 1 / 2 / 3 inner steps",
        cpu="116 min on one core",
        gpu="10 min, by its own steps",
    ),
    "rml-mg-cheetah-direction": RecipeFigures(
        reaches="return -40.4 / 269.1 / 277.1 / 278.9 after 0 / 1 / 2 / 3 inner steps",
        cpu="50 min on one core",
        gpu="3 min, by its own steps",
    ),
}
