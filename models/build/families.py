"""From descriptions of tasks to what draws them: families and environments."""

from models.environments.bandit import Bandit
from models.environments.environment import EnvironmentFamily
from models.environments.half_cheetah import HalfCheetah
from models.environments.navigation import Navigation
from models.environments.seasons import Seasons
from models.environments.tabular_mdp import TabularMdp
from models.spec import (
    BanditSpec,
    CheetahSpec,
    EnvironmentSpec,
    FunctionsSpec,
    GroupedSpec,
    LabelledSpec,
    NavigationSpec,
    SeasonsSpec,
    SequencesSpec,
    SinusoidSpec,
    TablesSpec,
    TabularMdpSpec,
    TaskFamilySpec,
)
from models.tasks.family import TaskFamily
from models.tasks.functions import Functions
from models.tasks.grouped import Grouped
from models.tasks.grouped_data import GroupedData
from models.tasks.labelled import Labelled
from models.tasks.labelled_data import LabelledData
from models.tasks.sequences import Sequences
from models.tasks.sinusoid import Sinusoid
from models.tasks.tables.family import Tables


def build_family(spec: TaskFamilySpec, data: LabelledData | GroupedData | None = None) -> TaskFamily:
    """The family that `spec` describes; raises ValueError where the dataset is missing or cannot give it."""
    match spec:
        case SinusoidSpec():
            return Sinusoid(spec)
        case FunctionsSpec():
            return Functions(spec)
        case TablesSpec():
            return Tables(spec)
        case LabelledSpec():
            if not isinstance(data, LabelledData):
                raise ValueError("a labelled family needs its dataset")
            return Labelled(spec, data)
        case GroupedSpec() | SequencesSpec():
            if not isinstance(data, GroupedData):
                raise ValueError("grouped tasks need their dataset, with a task for every row")
            return Grouped(spec, data) if isinstance(spec, GroupedSpec) else Sequences(spec, data)
        case _:
            raise ValueError("environments are built by build_environments")


def build_environments(spec: EnvironmentSpec) -> EnvironmentFamily:
    """The family of environments that `spec` describes."""
    match spec:
        case NavigationSpec():
            return Navigation(spec)
        case BanditSpec():
            return Bandit(spec)
        case TabularMdpSpec():
            return TabularMdp(spec)
        case CheetahSpec():
            return HalfCheetah(spec)
        case SeasonsSpec():
            return Seasons(spec)
