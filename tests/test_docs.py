"""The documentation tells the truth where a machine can tell: variables, recipes, links, code, routes."""

import re
from pathlib import Path
from typing import get_args

import pytest

from models.spec import AlgorithmSpec
from models.training.recipe_figures import FIGURES
from models.training.recipes import RECIPES
from tests.settings import table
from tests.specs import reference

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README = (ROOT / "README.md").read_text()


def settings_on(page: str) -> str:
    return page.split("<!-- settings: begin -->")[1].split("<!-- settings: end -->")[0].strip()


def test_every_variable_is_listed_as_the_settings_describe_it() -> None:
    assert settings_on((ROOT / "docs/configuration.md").read_text()) == table()


def test_every_field_of_a_job_is_listed_as_its_spec_describes_it() -> None:
    page = (ROOT / "docs/jobs.md").read_text()
    assert page.split("<!-- specs: begin -->")[1].split("<!-- specs: end -->")[0].strip() == reference()


def test_the_variables_of_the_readme_are_among_them() -> None:
    rows = settings_on(README).splitlines()
    assert len(rows) == 2 + 5
    assert set(rows) <= set(table().splitlines())


def test_the_readme_tells_what_recipes_reach_as_the_api_does() -> None:
    recipes = README.split("## Recipes")[1].split("\n## ")[0]
    rows = {row.split("`")[1]: row for row in recipes.splitlines() if row.startswith("| `")}
    for name, seen in FIGURES.items():
        cells = [cell or "not measured" for cell in (seen.reaches, seen.cpu, seen.gpu)]
        assert rows[name].endswith(f"| {' | '.join(cells)} |"), name


def test_the_readme_lists_every_recipe() -> None:
    recipes = README.split("## Recipes")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([a-z0-9-]+)`", recipes, re.M) == [recipe.name for recipe in RECIPES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_on_a_page_is_python(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.S):
        compile(block, str(page), "exec")


def test_make_targets_that_a_page_names_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in PAGES:
        assert set(re.findall(r"^(?: {4})?make ([a-z]+)", page.read_text(), re.M)) <= targets


def test_paths_that_the_architecture_names_exist() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    for path in re.findall(r"`((?:app|services|models)/[\w/.]+)`", page):
        assert (ROOT / path).exists(), path


def test_the_page_of_learners_lists_every_algorithm_as_its_spec_describes_it() -> None:
    rows = re.findall(r"^\| `([a-z-_]+)` \|(.*)\|$", (ROOT / "docs/learners.md").read_text(), re.M)
    page = {name: [cell.strip() for cell in cells.split(" | ")] for name, cells in rows}
    specs = {spec.__struct_config__.tag: spec for spec in get_args(AlgorithmSpec)}
    assert page.keys() == specs.keys()
    assert len(page) == len(rows)
    for name, (paper, tasks, _, adjustable, _) in page.items():
        assert paper.startswith("[")
        assert tasks == ", ".join(specs[name].tasks)
        assert re.findall(r"`(\w+)`", adjustable) == list(specs[name].adjustable)
