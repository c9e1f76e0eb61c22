# `make demo` and `make test` do all the set-up themselves. `make help` lists the targets.
SHELL := /bin/bash
.DELETE_ON_ERROR:
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
IMAGES ?=
# `make up RUNTIME=docker` stands up containers; SITE has options for Ansible.
RUNTIME ?= local
SITE ?=
export ANSIBLE_INVENTORY := inventory/$(RUNTIME)

.PHONY: help demo up down purge test test-unit test-docker lint format bench pin-images

help:  ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/ready: uv.lock pyproject.toml
	@$(PYTHON) .ci/prerequisites.py
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv sync --quiet --locked --all-extras --python $(BIN)/python
	@touch $@

up: .venv/ready  ## Start the stack (Kafka, stores, services, Jupyter) and wait until it is healthy.
	@$(BIN)/ansible-playbook playbooks/site.yml $(SITE)

demo: .venv/ready  ## Take X-rays from upload to a promoted model. IMAGES=<folder> takes your own.
	@$(BIN)/python -m playbooks.demo $(if $(IMAGES),--images "$(IMAGES)") -- $(SITE)

down: .venv/ready  ## Stop the stack; data stay.
	@$(BIN)/ansible-playbook playbooks/destroy.yml $(SITE)

purge: .venv/ready  ## Stop the stack and delete its data.
	@$(BIN)/ansible-playbook playbooks/destroy.yml -e purge=true $(SITE)

test: lint  ## Lint, then every test that needs no Docker, by two processes (tests/conftest.py).
	@$(BIN)/pytest -m "not docker" -n 2 --dist loadgroup --no-loadscope-reorder

test-docker: .venv/ready  ## The platform in containers: needs a Docker engine, which CI installs.
	@$(BIN)/pytest tests/docker

test-unit: .venv/ready  ## The tests that need no service: seconds.
	@$(BIN)/pytest tests/unit tests/contract -m "not real and not slow"

lint: .venv/ready  ## Style, types, imports, Ansible, YAML, shell, Dockerfiles.
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@out=$$($(BIN)/lint-imports) || { echo "$$out"; exit 1; }
	@$(BIN)/yamllint --strict .
	@$(BIN)/ansible-lint --offline -q
	@$(BIN)/shellcheck .ci/run docker/base/install docker/base/install-messages docker/base/trusting docker/kafka/bin/*.sh
	@$(BIN)/hadolint docker/*/Dockerfile

format: .venv/ready  ## Format the Python files.
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

pin-images: .venv/ready  ## Write the digests of the images that are pulled (needs the registries).
	@$(BIN)/ansible-playbook playbooks/pin_images.yml

bench: .venv/ready  ## Measure the ratios of the design, in one run each.
	@$(BIN)/python -m benchmarks
