"""Task families: the distributions over tasks that a base model is meta-trained on."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from models.spec.environments import EnvironmentSpec

Shots = Annotated[int, Meta(ge=1, le=1000)]
Ways = Annotated[int, Meta(ge=2, le=1000)]
Fraction = Annotated[float, Meta(gt=0.0, lt=1.0)]
FunctionKind = Literal["line", "parabola", "sinusoid", "exponential"]


class SinusoidSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="family", tag="sinusoid"
):
    """y = A sin(x - phase), A in U[0.1, 5], phase in U[0, pi], x in U[-5, 5] (Finn et al. 2017)."""

    n_shot: Shots = 10
    n_query: Shots = 10


class FunctionsSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="family", tag="functions"
):
    """Lines, parabolas, sinusoids and exponentials over x in [-10, 10], of varied scale and offset.

    Each episode draws its number of support points from `min_shot` to `max_shot`; `noise` is the standard
    deviation of Gaussian noise on every observed target, in units of the function's own scale.
    """

    min_shot: Shots = 2
    max_shot: Shots = 16
    n_query: Shots = 16
    noise: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.0
    kinds: Annotated[tuple[FunctionKind, ...], Meta(min_length=1, max_length=4)] = (
        "line",
        "parabola",
        "sinusoid",
        "exponential",
    )


class AugmentSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far an image may be warped, each time by other amounts, uniform within these bounds.

    `shift` in parts of its side, `rotate` in degrees, `scale` 0.2 for 1/1.2 to 1.2 (height and width apart),
    `shear` as a slope, `elastic` the deviation of a smooth displacement in parts of the side, `stroke` the part of
    the way to its brightest or darkest neighbour that a pixel goes; `flip` mirrors every other one.
    """

    shift: Annotated[float, Meta(ge=0.0, le=0.5)] = 0.0
    rotate: Annotated[float, Meta(ge=0.0, le=180.0)] = 0.0
    scale: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    shear: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    elastic: Annotated[float, Meta(ge=0.0, le=0.2)] = 0.0
    stroke: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    flip: bool = False


class LabelledSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="family", tag="labelled"
):
    """N-way K-shot episodes from an uploaded dataset of labelled examples.

    With `max_way` an episode has `min_way` (2 unless given) to `max_way` classes in place of `n_way`, and with
    `max_shot` a class has `min_shot` (1 unless given) to `max_shot` examples in place of `n_shot`: imbalanced, by
    the rules of Meta-Dataset (Triantafillou et al. 2020), in meta-training and meta-test alike.
    `within_task` draws every episode's classes inside one of the dataset's tasks (an alphabet, a speaker).
    `rotations` makes each quarter turn of a class another class (images only, meta-training only); with
    `turns_apart` an episode takes classes of one turn, the hardest to tell apart, and another task's where these
    are few. `dropout` of an example's numbers, drawn for every episode, become their mean (vectors and an encoder's
    features only, meta-training only): what is learned may rest on no few of them (Srivastava et al. 2014).
    With `class_names` a class's own name is one more example of it (texts only): its words stand before the support
    set's examples, are not counted as a shot and are never asked for; a name without letters adds nothing. A model
    that is trained so does the same with the labels of whoever adapts it.
    `train_ways` are the classes of a meta-training episode where they are more than `n_way`: what compares well
    among many compares better among few (Snell et al. 2017). `augment` warps every image by itself, `task_augment`
    all images of an episode alike, which makes another task of it (images only, meta-training only).
    `invented` is the share of meta-training's episodes whose classes are not the dataset's but characters made up
    on the spot, of strokes or of dots (images of one channel alone): where the dataset's classes are few, or all of
    one kind.
    `test_fraction` of the classes, or of the tasks when `within_task`, is held out for the meta-test: which
    ones is drawn from `split_seed`, unless `test_tasks` names them.
    """

    needs_dataset: ClassVar[bool] = True

    dataset: str
    n_way: Ways = 5
    n_shot: Shots = 1
    n_query: Shots = 5
    min_way: Ways | None = None
    max_way: Ways | None = None
    min_shot: Shots | None = None
    max_shot: Shots | None = None
    within_task: bool = False
    rotations: bool = False
    turns_apart: bool = False
    dropout: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    class_names: bool = False
    train_ways: Ways | None = None
    augment: AugmentSpec | None = None
    task_augment: AugmentSpec | None = None
    invented: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    test_fraction: Fraction = 0.2
    split_seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    test_tasks: tuple[str, ...] = ()

    @property
    def is_variable(self) -> bool:
        """Whether ways or shots are drawn anew for every episode."""
        return self.max_way is not None or self.max_shot is not None

    @property
    def fewest_ways(self) -> int:
        """The classes of the smallest meta-test episode."""
        return self.n_way if self.max_way is None else self.min_way or 2

    @property
    def most_test_ways(self) -> int:
        """The classes of the largest meta-test episode."""
        return self.max_way or self.n_way

    @property
    def fewest_train_ways(self) -> int:
        """The classes of the smallest meta-training episode."""
        return self.most_ways if self.max_way is None else self.fewest_ways

    @property
    def as_tested(self) -> "LabelledSpec":
        """Without what meta-training does to images: the same held-out episodes, whatever is made of these."""
        return msgspec.structs.replace(
            self, rotations=False, turns_apart=False, augment=None, task_augment=None, invented=0.0
        )

    @property
    def most_ways(self) -> int:
        """The classes of the largest episode."""
        return max(self.most_test_ways, self.train_ways or 0)

    @property
    def fewest_shots(self) -> int:
        """The least support examples of a class."""
        return self.n_shot if self.max_shot is None else self.min_shot or 1

    @property
    def most_shots(self) -> int:
        """The most support examples of a class."""
        return self.max_shot or self.n_shot

    def support_rows(self, ways: int) -> int:
        """The most rows of a support set of so many classes: examples, and names."""
        return ways * (self.most_shots + self.class_names)


class GroupedSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="family", tag="grouped"
):
    """A task is one group of an uploaded dataset's rows: a person, a school, a device (its `task` column).

    An episode gives `min_shot` to `max_shot` of a group's rows and asks for up to `n_query` others; a group of
    fewer than `min_shot` + 1 rows is left out. Targets are numbers, or classes that mean the same in every group.
    `test_fraction` of the groups is held out for the meta-test: which ones is drawn from `split_seed`, unless
    `test_tasks` names them. `duplicates`: of rows of one group that are equal in inputs and target all but one
    are dropped, unless they are to be kept because each is an observation of its own.
    """

    needs_dataset: ClassVar[bool] = True

    dataset: str
    min_shot: Shots = 1
    max_shot: Shots = 16
    n_query: Shots = 16
    test_fraction: Fraction = 0.2
    split_seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    test_tasks: tuple[str, ...] = ()
    duplicates: Literal["drop", "keep"] = "drop"


class SequencesSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="family", tag="sequences"
):
    """A task is one group's rows in their order: a student's answers. The past is given, the future asked for.

    An episode gives a group's first rows, `min_shot` to `max_shot` of them, and asks for the `n_query` that
    follow. The order is that of the dataset's `order` column, else of the file. Equal rows are kept: they happened
    at different times. Everything else is as with `grouped`.
    """

    needs_dataset: ClassVar[bool] = True

    dataset: str
    min_shot: Shots = 1
    max_shot: Shots = 50
    n_query: Shots = 10
    test_fraction: Fraction = 0.2
    split_seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    test_tasks: tuple[str, ...] = ()


class TablesSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="family", tag="tables"
):
    """Small synthetic tables: random graphs, trees, smooth and linear functions, clusters (Hollmann et al. 2023).

    `columns` is the width of every input: narrower tables have zeros behind. Each episode draws its number of
    columns, of labelled rows from `min_shot` to `max_shot`, and of `classes` at most.
    """

    task: Literal["classification", "regression"] = "classification"
    columns: Annotated[int, Meta(ge=1, le=256)] = 32
    classes: Annotated[int, Meta(ge=2, le=10)] = 10
    min_shot: Shots = 4
    max_shot: Shots = 64
    n_query: Shots = 64


GroupSpec = GroupedSpec | SequencesSpec
TaskFamilySpec = (
    SinusoidSpec | FunctionsSpec | LabelledSpec | GroupedSpec | SequencesSpec | TablesSpec | EnvironmentSpec
)
