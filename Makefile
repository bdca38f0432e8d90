# batchgate: `make demo` and `make test` need only Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.set-up

.PHONY: help demo test test-slow chaos soak lint protos bench bench-peers clean
.DEFAULT_GOAL := help

help: ## Say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "make %-11s %s\n", $$1, $$2}'

$(SETUP): pyproject.toml .ci/constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "there is no $(PYTHON); name a Python 3.11 or newer with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "batchgate needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...")'
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt --editable '.[dev]'
	touch $@

demo: $(SETUP) ## Start a sandbox provider and the gateway, run a batch on both providers, show the results
	$(BIN)/batchgate demo

test: $(SETUP) ## Run the tests
	$(BIN)/python -m pytest -n 2 -m "not slow" --cov --cov-report=term $(TESTS)

test-slow: $(SETUP) ## Run the tests that take longer
	$(BIN)/python -m pytest -m slow --ignore tests/chaos $(TESTS)

chaos: $(SETUP) ## Break everything at fixed and random moments, search for slow input (RELIABILITY.md)
	$(BIN)/python -m pytest -n 2 tests/chaos

soak: $(SETUP) ## Work for 20 minutes (SOAK_SECONDS) and draw build/soak.svg; growth is a failure
	$(BIN)/python -m tests.soak

lint: $(SETUP) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

protos: $(SETUP) ## Make all generated code anew: stubs of all languages, the reference, the sync Python client
	bash .ci/tools
	$(BIN)/python protos/generate.py --clients
	$(BIN)/python protos/reference.py
	$(BIN)/python clients/python/generate_sync.py

bench: $(SETUP) ## Measure speed and memory (minutes)
	$(BIN)/python -m tests.benchmarks

bench-peers: $(SETUP) ## Compare with LiteLLM and Portkey (10 minutes; installs them below build/peers)
	$(BIN)/python -m tests.benchmarks.peers

clean: ## Remove what the targets above made
	rm -rf $(VENV) .coverage* .mypy_cache .pytest_cache .ruff_cache
