# `make help` lists what can be asked for. Everything is installed into .venv when it is first needed.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	command -v $$python >/dev/null && $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	&& echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
DEBIAN := $(shell cat .ci/debian-packages.txt)
DEBIAN_FOR_TESTS := $(shell cat .ci/debian-packages-for-tests.txt)

# -- installation -------------------------------------------------------------------------------

$(VENV)/.debian: .ci/debian-packages.txt
	@.ci/install-debian $(DEBIAN)
	@mkdir -p $(VENV) && touch $@

$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed on PATH (Debian: apt-get install python3)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/install-debian \
		$$($(PYTHON) -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: requirements.txt pyproject.toml $(VENV)/.debian $(VENV)/.created
	$(PIP) install --quiet --requirement requirements.txt
	$(PIP) install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.txt .ci/debian-packages-for-tests.txt $(VENV)/.run
	@.ci/install-debian $(DEBIAN_FOR_TESTS)
	$(PIP) install --quiet --requirement requirements-dev.txt
	@touch $@

.PHONY: install
install: $(VENV)/.run ## install what running needs: Debian packages, Python packages, the command `crossdock`

# -- running ------------------------------------------------------------------------------------

.PHONY: demo up down
demo: $(VENV)/.run ## make the demo company, let Airflow run it to the last published event, show what came of it
	@$(BIN)/python examples/demo/run.py

up: $(VENV)/.run ## leave Airflow and the console running on the demo company; says where and with which login
	@$(BIN)/python examples/demo/run.py up

down: ## stop what `make up` left running
	@test ! -x $(BIN)/python || $(BIN)/python examples/demo/run.py down

# -- proof --------------------------------------------------------------------------------------

.PHONY: test check golden bench fuzz
# Many tests wait for servers: three processes keep two cores busy. One module stays in one process, with its servers.
WORKERS ?= 3

test: $(VENV)/.dev ## run all tests; ARGS="-k word" for some, WORKERS=0 in one process
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: $(VENV)/.dev ## format, lint, types, import rules, configuration, generated files, compose file, pins
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/crossdock lint
	$(BIN)/python -m crossdock.contract --check
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/python .ci/requirements_in_step.py

golden: $(VENV)/.dev ## rewrite the golden folders; read the diff as carefully as code
	@$(BIN)/python -m pytest tests/golden --rewrite-golden $(ARGS)

bench: $(VENV)/.dev ## measure; NAME=prefix for some
	@$(BIN)/python -m bench $(NAME)

fuzz: $(VENV)/.dev ## look for bytes that break the EDI readers; TIME=seconds, TARGET=read, edifact or translate
	@$(BIN)/python -m fuzz $(or $(TARGET),read) -max_total_time=$(or $(TIME),600)

# -- generated files ----------------------------------------------------------------------------

.PHONY: schemas requirements
schemas: $(VENV)/.dev ## generate the published JSON Schemas and the AsyncAPI document from schemas/events.py
	@$(BIN)/python -m crossdock.contract

UV := $(BIN)/uv pip compile pyproject.toml --python-version 3.11 --universal
requirements: $(VENV)/.dev ## pin anew what pyproject.toml asks for; ARGS=--upgrade for the newest
	$(UV) $(ARGS) -o requirements.txt
	$(UV) $(ARGS) --extra dev -c requirements.txt -o requirements-dev.txt

# -- the rest -----------------------------------------------------------------------------------

.PHONY: clean help
clean: down ## remove everything that was installed or made here
	rm -rf $(VENV) var build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14
