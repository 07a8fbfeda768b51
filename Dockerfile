# Three images from one file, each with what its process needs and nothing more:
#
#   api      FastAPI; no torch
#   engine   owns a device; torch
#   worker   runs meta-training jobs; torch
#
#   docker build --target api -t innerloop-api .
#   docker build --target engine -t innerloop-engine .                        torch's default wheel: CUDA on Linux
#   docker build --target engine --build-arg TORCH_INDEX=<index of CPU wheels> -t innerloop-engine .
#
# Engine and worker take CUDA where the wheel and the container have it, else the CPU.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/srv/innerloop PATH=/opt/venv/bin:$PATH \
    INNERLOOP_DATA_DIR=/var/lib/innerloop
RUN groupadd --system --gid 10001 innerloop \
    && useradd --system --uid 10001 --gid innerloop --home-dir /var/lib/innerloop --shell /usr/sbin/nologin innerloop \
    && mkdir -p /var/lib/innerloop /srv/innerloop \
    && chown innerloop:innerloop /var/lib/innerloop

FROM base AS build-service
WORKDIR /build
RUN python -m venv /opt/venv
# The SDK is the only package in the wheel; its folder and these files are all that the build reads.
COPY pyproject.toml README.md LICENSE ./
COPY app/client ./app/client
RUN /opt/venv/bin/pip install --no-cache-dir ".[service]"

FROM build-service AS build-engine
ARG TORCH_INDEX=""
RUN /opt/venv/bin/pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} ".[service,engine,encoders]"

FROM base AS code
WORKDIR /srv/innerloop
COPY app ./app
COPY services ./services
COPY models ./models

FROM code AS api
COPY --from=build-service /opt/venv /opt/venv
USER innerloop
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["innerloop", "check", "api"]
CMD ["innerloop", "api", "--host", "0.0.0.0", "--port", "8000"]

FROM code AS engine
COPY --from=build-engine /opt/venv /opt/venv
USER innerloop
EXPOSE 5555
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["innerloop", "check", "engine"]
CMD ["innerloop", "engine"]

FROM engine AS worker
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["innerloop", "check", "worker"]
CMD ["innerloop", "worker"]
