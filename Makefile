# `make run` and `make test` work on a bare machine with Python 3.11 or newer; all else is for those who build it.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v "$$p"; break; }; done)
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run demo test check bench format clean

help:  ## Say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 10

run: .venv/service  ## Install, serve, meta-train the starter, adapt it to four points, keep serving
	$(BIN)/innerloop demo --keep-serving

demo: .venv/service  ## The same in a throw-away folder, then exit (non-zero where a prediction misses)
	$(BIN)/innerloop demo

test: .venv/dev  ## Run the whole suite: unit, contract, integration
	$(BIN)/pytest

bench: .venv/bench  ## Measure everything on this machine and write docs/benchmarks; SUITE=serving measures one suite
	$(BIN)/python -P -m tests.benchmarks $(SUITE)

check: .venv/dev  ## Format, lint, types, import contracts, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

format: .venv/dev  ## Rewrite the sources as `make check` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Forget the environment and the caches, keep the data
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.venv/python:
	@test -n "$(PYTHON)" || { echo "innerloop needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/service: pyproject.toml | .venv/python
	@echo "Installing into .venv (about a minute; torch is large) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[service,engine,plots]"
	@touch $@

.venv/bench: pyproject.toml | .venv/service
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[service,engine,plots,bench]"
	@touch $@

.venv/dev: pyproject.toml | .venv/service
	@echo "Installing what the tests and checks need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[service,engine,plots,rl,dev]"
	@touch $@
