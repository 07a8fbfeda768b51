"""What is where: one file a noun, and the list of them all."""

from app.routes import (
    adaptations,
    aliases,
    datasets,
    events,
    health,
    jobs,
    limits,
    models,
    predictions,
    recipes,
    versions,
)

ROUTERS = (
    adaptations.router,
    predictions.router,
    models.router,
    versions.router,
    aliases.router,
    jobs.router,
    events.router,
    recipes.router,
    datasets.router,
    limits.router,
    health.router,
)
