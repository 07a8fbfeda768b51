"""When a compiler is worth it: not for arithmetic, not for a short job, and by and by for many short ones."""

from models.training.plan_policy import MOST_KERNELS, is_clearly_faster, pays_to_compile, pays_to_load

# A small network: 300 kernels in two milliseconds. A convolutional one: 1200 in a second and a half.
SMALL, LARGE = (0.002, 300), (1.5, 1200)


def test_a_long_job_of_a_small_network_pays_for_a_compiler() -> None:
    assert pays_to_compile(*SMALL, steps_left=30_000, eager_seconds=0.0)


def test_a_short_job_does_not_unless_many_went_before() -> None:
    assert not pays_to_compile(*SMALL, steps_left=1000, eager_seconds=0.0)
    assert pays_to_compile(*SMALL, steps_left=1000, eager_seconds=40.0)


def test_arithmetic_is_left_alone_however_long_it_takes() -> None:
    assert not pays_to_compile(*LARGE, steps_left=60_000, eager_seconds=1e6)


def test_nothing_is_compiled_before_its_kernels_were_counted() -> None:
    assert not pays_to_compile(0.002, None, steps_left=10**6, eager_seconds=1e6)


def test_a_longer_program_takes_a_longer_job_and_a_vast_one_is_never_compiled() -> None:
    assert pays_to_compile(0.01, 1000, steps_left=8100, eager_seconds=0.0)
    assert not pays_to_compile(0.01, 2000, steps_left=8100, eager_seconds=0.0)
    assert not pays_to_compile(0.01, MOST_KERNELS + 1, steps_left=10**7, eager_seconds=0.0)


def test_a_program_that_is_there_is_loaded_for_what_takes_seconds() -> None:
    assert pays_to_load(0.002, 10_000)
    assert not pays_to_load(0.002, 100)
    assert not pays_to_load(None, 10**6)


def test_a_plan_is_not_changed_for_noise() -> None:
    assert is_clearly_faster(1.0, 1.5)
    assert not is_clearly_faster(1.0, 1.05)
