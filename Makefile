# `make demo` and `make test` do all the set-up themselves. `make help` lists the targets.
SHELL := /bin/bash
.DELETE_ON_ERROR:
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
IMAGES ?=

.PHONY: help demo up down purge test test-unit lint format bench

help:  ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/ready: uv.lock pyproject.toml
	@$(PYTHON) .ci/prerequisites.py
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv sync --quiet --locked --all-extras --python $(BIN)/python
	@touch $@

up: .venv/ready  ## Start the embedded stack (Kafka, stores, services, Jupyter) and wait until it is healthy.
	@$(BIN)/ansible-playbook playbooks/site.yml

demo: .venv/ready  ## Take X-rays from upload to a promoted model. IMAGES=<folder> takes your own.
	@$(BIN)/python playbooks/demo.py $(if $(IMAGES),--images "$(IMAGES)")

down: .venv/ready  ## Stop the stack; data stay.
	@$(BIN)/ansible-playbook playbooks/destroy.yml

purge: .venv/ready  ## Stop the stack and delete its data.
	@$(BIN)/ansible-playbook playbooks/destroy.yml -e purge=true

test: lint  ## Lint, then every test that needs no Docker.
	@$(BIN)/pytest

test-unit: .venv/ready  ## The tests that need no service: seconds.
	@$(BIN)/pytest tests/unit tests/contract -m "not real and not slow"

lint: .venv/ready  ## Style, types, imports, Ansible, YAML, shell.
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@out=$$($(BIN)/lint-imports) || { echo "$$out"; exit 1; }
	@$(BIN)/yamllint --strict .
	@$(BIN)/ansible-lint --offline -q
	@$(BIN)/shellcheck .ci/run

format: .venv/ready  ## Format the Python files.
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

bench: .venv/ready  ## Measure the ratios of the design, in one run each.
	@$(BIN)/python -m benchmarks
