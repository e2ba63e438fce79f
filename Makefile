# Everything a developer or a nightly box needs; `make` alone lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --no-input --require-hashes --only-binary :all:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The environment is made once for each state of the lock files; a finished step leaves a marker.
$(VENV)/made:
	@sh scripts/make-venv $(PYTHON) $(VENV)
	@touch $@

$(VENV)/run-ready: $(VENV)/made requirements/run.txt pyproject.toml
	@echo "installing locked packages into $(VENV)"
	@$(PIP) -r requirements/run.txt
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install --no-input --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev-ready: $(VENV)/run-ready requirements/dev.txt requirements/duckdb-1.4.txt requirements/duckdb-1.5.txt
	@echo "installing locked development packages into $(VENV)"
	@$(PIP) -r requirements/dev.txt
	@$(PIP) --target $(VENV)/duckdb-1.4 --upgrade -r requirements/duckdb-1.4.txt
	@$(PIP) --target $(VENV)/duckdb-1.5 --upgrade -r requirements/duckdb-1.5.txt
	@touch $@

$(VENV)/browser-ready: $(VENV)/dev-ready requirements/browser.txt
	@sh scripts/need-chromium
	@$(PIP) -r requirements/browser.txt
	@touch $@

install: $(VENV)/dev-ready ## make the environment, development tools included

demo: $(VENV)/run-ready ## the main job on built-in sample books: tables in about a minute
	@$(BIN)/prospend demo

run: $(VENV)/run-ready ## the nightly run of a site: make run CONFIG=configs/site.toml
	@$(BIN)/prospend run $(if $(CONFIG),--config $(CONFIG))

test: $(VENV)/dev-ready ## all tests, file by file on all processors (at most four), the longest first
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-pure: $(VENV)/dev-ready ## the tests that need no file, socket or database
	@$(BIN)/python -m pytest tests/pure tests/rules

soak: $(VENV)/dev-ready ## the long forms of the tests: kills, system calls, histories, readers; hours
	@$(BIN)/python -m pytest tests/soak

test-browser: $(VENV)/browser-ready ## the token page in a real browser (Debian's chromium)
	@$(BIN)/python -m pytest tests/browser

test-bi: $(VENV)/browser-ready ## dbt, Superset, marimo and Streamlit at a published warehouse; some 15 minutes, 2 GB of disk
	@$(BIN)/python -m pytest tests/bi

test-office: $(VENV)/dev-ready ## the workbook in LibreOffice (Debian's, without windows)
	@sh scripts/need-libreoffice
	@$(BIN)/python -m pytest tests/office

wheel: $(VENV)/run-ready ## build what can be installed elsewhere, into dist/
	@$(BIN)/python -m hatchling build --target wheel

fmt: $(VENV)/dev-ready ## format the source
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: $(VENV)/dev-ready ## formatting and lint rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(VENV)/dev-ready ## mypy, strict
	@$(BIN)/mypy

check: lint types test ## everything CI would say: format, lint, types, import rules, tests

bench: bench-parts bench-peers ## measure speed and memory: both of the following

bench-peers: $(VENV)/dev-ready ## side by side with our peers, into docs/benchmarks.md; some twenty minutes
	@$(BIN)/python -m tests.bench.peers

bench-parts: $(VENV)/dev-ready ## what our own parts cost: requests, pages, nights, the sandbox
	@$(BIN)/python -m tests.bench

lineage: $(VENV)/dev-ready ## after a change of a mart: where its columns come from, and docs/data-dictionary.md
	@$(BIN)/python -m tests.lineage
	@$(BIN)/prospend dictionary --catalogue-only --output docs/data-dictionary.md

bench-memory: $(VENV)/dev-ready ## memory of reading 100,000 to 10,000,000 records; half an hour
	@$(BIN)/python -m tests.bench.memory

lock: $(VENV)/dev-ready ## lock what pyproject.toml asks for; UPGRADE=--upgrade takes the newest
	@sh scripts/lock $(BIN) $(UPGRADE)

clean: ## remove caches; never data
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

.PHONY: help install demo run wheel test test-pure soak test-browser test-bi test-office fmt lint types check bench bench-parts bench-memory bench-peers lineage lock clean
