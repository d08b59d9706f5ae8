# Two commands do everything: `make demo` and `make test`. Both install first when needed.
PYTHON ?= python3
BIN := .venv/bin
export DEEPWARD_HOME ?= $(CURDIR)/storage

.PHONY: help install lock advisories demo ui test lint bench clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed ## the virtual environment; does nothing when it is up to date

.venv/.installed: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Deepward needs Python 3.11; found $$($(PYTHON) --version). Try: make PYTHON=python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --python $(BIN)/python --no-deps --editable .
	@touch $@

lock: ## requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --extra all --python-version 3.11 --quiet \
	  --no-header --no-annotate --generate-hashes --output-file requirements.lock

advisories: install ## known advisories on packages of requirements.lock; asks pypi.org, fails where it cannot
	$(BIN)/uvx --from pip-audit pip-audit --requirement requirements.lock --no-deps --disable-pip \
	  --strict --progress-spinner off $(ARGS)

demo: install ## the main job to the report's path; DOMAINS=DIR for your own pictures
	$(BIN)/python -m dagster_project.demo $(if $(DOMAINS),--domains "$(DOMAINS)") $(ARGS)

ui: install ## Dagster's pages on http://127.0.0.1:3000
	$(BIN)/python -m dagster_project.ui $(ARGS)

test: install ## all tests, on all cores
	$(BIN)/python -m pytest -n logical --dist loadfile $(ARGS)

lint: install ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: install ## speed, each figure beside its reference; minutes, on a quiet machine
	@for script in $(filter-out benchmarks/kill_loop.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean: ## everything that was made, but the virtual environment
	rm -rf storage .pytest_cache .mypy_cache .ruff_cache
