# Every target sets up what it needs; nothing has to be installed by hand first.
SHELL := /bin/sh
.DEFAULT_GOAL := help
ML_PLATFORM := .venv/bin/ml-platform
# Some container images set it, and each of the hundreds of Pythons here would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the targets
	@echo "ML Platform: training jobs from a Backstage template to Ray, with Git as the record."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "First time: make demo"

.PHONY: demo
demo: ## Run the example from the portal's template to a succeeded job (ONCE=1 stops everything at the end)
	@sh scripts/demo.sh $(if $(filter 1,$(ONCE)),--once,)

.PHONY: setup
setup: setup-python setup-node ## Install what the project needs, from lock files

.PHONY: setup-python
setup-python:
	@sh scripts/setup-python.sh

.PHONY: setup-node
setup-node:
	@sh scripts/setup-node.sh

.PHONY: build
build: setup ## Build the portal and the example's image
	@sh scripts/build-backstage.sh
	@$(ML_PLATFORM) build stellar_optimization v1.0.0

.PHONY: up
up: setup ## Start Ray, service and portal; Ctrl-C ends them
	@sh scripts/build-backstage.sh
	@$(ML_PLATFORM) up

.PHONY: down
down: setup-python ## Stop what `make up` or `make demo` started
	@$(ML_PLATFORM) down

.PHONY: test
test: ## Run every test that needs no cluster, browser tests included
	@sh scripts/test.sh

.PHONY: test-slow
test-slow: ## Kill the workloads in the middle and compare their results, minutes each
	@sh scripts/test-slow.sh

.PHONY: test-cluster
test-cluster: ## Run the tests that need a cluster, on one that is started here (root: with real pods)
	@sh scripts/test-cluster.sh

.PHONY: cluster
cluster: ## Start that cluster for people and leave it running
	@sh scripts/cluster.sh up

.PHONY: cluster-down
cluster-down: ## End it
	@sh scripts/cluster.sh down

.PHONY: check
check: setup ## Linters, types and generated files, as CI runs them
	@sh scripts/check.sh

.PHONY: format
format: setup ## Format Python and TypeScript
	@.venv/bin/ruff check --quiet --fix-only python-actions tests benchmarks scripts workloads
	@.venv/bin/ruff format --quiet python-actions tests benchmarks scripts workloads
	@.tools/bin/yarn format

.PHONY: generate
generate: setup ## Re-make the generated files that are committed
	@.venv/bin/python scripts/generate.py
	@.tools/bin/yarn generate

.PHONY: lock
lock: setup-python ## Resolve the newest allowed versions into requirements/*.txt
	@sh scripts/lock.sh

.PHONY: science
science: ## Optimise a stellarator from a rotating ellipse to above the published score (PRESET=full, about 10 minutes)
	@sh scripts/science.sh $(or $(PRESET),full)

.PHONY: science-seeds
science-seeds: ## The preset quick with ten seeds, and how often it beats the published score (about 25 minutes)
	@sh scripts/science-seeds.sh

.PHONY: science-loops
science-loops: ## The preset loop with three seeds, and whether proposed starts do better
	@sh scripts/science-loops.sh

.PHONY: bench
bench: setup-python ## List the benchmarks, or run one: make bench NAME=submit
	@.venv/bin/python -m benchmarks $(NAME)
