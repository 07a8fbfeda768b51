"""The built-in configurations, by name. Plain data, no torch: the api lists them, a job resolves one."""

from models.training.recipes.curves import CURVES
from models.training.recipes.labelled import LABELLED
from models.training.recipes.policies import POLICIES
from models.training.recipes.recipe import Recipe
from models.training.recipes.tables import TABLES

RECIPES: tuple[Recipe, ...] = tuple(
    sorted((*CURVES, *LABELLED, *POLICIES, *TABLES), key=lambda recipe: recipe.name)
)

__all__ = ["RECIPES", "Recipe"]
