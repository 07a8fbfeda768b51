"""What is where: one file a noun, and the list of them all."""

from app.routes import (
    adaptations,
    aliases,
    datasets,
    events,
    health,
    inference_extensions,
    inference_v2,
    jobs,
    limits,
    models,
    predictions,
    recipes,
    versions,
)

# The busiest first: that is the order in which a path is looked for.
ROUTERS = (
    predictions.router,
    adaptations.router,
    models.router,
    versions.router,
    aliases.router,
    jobs.router,
    events.router,
    recipes.router,
    datasets.router,
    # Before the protocol itself, which would take `stats` for a model.
    inference_extensions.router,
    inference_v2.router,
    limits.router,
    health.router,
)

# Those that thousands of requests a second may go to.
DIRECT = (
    predictions.predict,
    predictions.adapt_predict,
    adaptations.create_adaptation,
    inference_v2.infer,
    inference_v2.infer_version,
)
"""Endpoints that take the request and nothing else."""
