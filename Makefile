# Everything lands in .venv, node_modules and .cache of this folder. A stamp file per lock makes
# the second run fast.
PYTHON ?= python3
UV_VERSION := 0.13.9

BIN := .venv/bin
CACHE := $(CURDIR)/.cache
export PIP_CACHE_DIR ?= $(CACHE)/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export npm_config_cache ?= $(CACHE)/npm
export npm_config_update_notifier := false

# Brownie keeps its settings in HOME; this gives it one of the project's own.
IN_PROJECT_HOME = mkdir -p "$(CACHE)/home" && HOME="$(CACHE)/home"

# A file's tests share what they set up, so they stay together.
ON_ALL_CORES := -n auto --dist loadfile --no-loadscope-reorder

LIVE := .venv/live.stamp node_modules/live.stamp
DEV := .venv/dev.stamp node_modules/dev.stamp
PROOFS := .venv-proofs/proofs.stamp

.PHONY: help demo test test-slow lint train evaluate bench-ait bench-ingest bench-gas bench-env bench-train lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

demo: $(LIVE) ## the whole loop once, on a devnet, with a simulated network
	$(BIN)/countersign demo

test: lint ## all checks and tests but the slow ones, as CI runs them
	$(IN_PROJECT_HOME) $(BIN)/pytest $(ON_ALL_CORES)

test-slow: $(DEV) $(PROOFS) ## the tests marked slow, proofs and mutation of the contracts among them
	$(IN_PROJECT_HOME) $(BIN)/pytest $(ON_ALL_CORES) -m slow

lint: $(DEV) ## ruff, mypy and the import rules
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

train: $(DEV) ## train a policy on the simulator
	$(BIN)/countersign train

evaluate: $(DEV) ## compare the trained policy with the baselines on held-out seeds
	$(BIN)/countersign evaluate

bench-ait: $(DEV) ## how recorded attacks are answered, beside naive Bayes
	$(BIN)/python scripts/bench_ait.py --json

bench-ingest: $(DEV) node_modules/live.stamp ## how fast alerts become decisions and transactions
	$(BIN)/python scripts/bench_ingest.py

bench-gas: $(DEV) ## what an order costs in gas, beside Safe and Timelock
	$(BIN)/python scripts/bench_gas.py

bench-env: $(DEV) ## how fast the simulator is, beside NASim
	$(BIN)/pip install --quiet nasim==0.12.0
	$(BIN)/python scripts/bench_env.py

bench-train: $(DEV) ## how fast learning is, beside stable-baselines3
	$(BIN)/python scripts/bench_train.py

lock: $(CACHE)/lock/bin/uv ## bring the locks in line with pyproject.toml and package.json
	UV_CACHE_DIR="$(CACHE)/uv"; export UV_CACHE_DIR; \
	compile='$(CACHE)/lock/bin/uv pip compile -q --universal --python-version 3.11'; \
	$$compile pyproject.toml --extra dev --annotation-style line \
		--custom-compile-command 'make lock' -o requirements/dev.txt && \
	$$compile pyproject.toml --extra sim --constraints requirements/dev.txt \
		--generate-hashes --no-annotate \
		--custom-compile-command 'make lock' -o requirements/live.txt && \
	$$compile requirements/proofs.in --annotation-style line \
		--custom-compile-command 'make lock' -o requirements/proofs.txt
	npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

clean: ## remove everything that make has made
	rm -rf .venv .venv-proofs node_modules .cache build dist .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo 'Countersign needs Python 3.11 to 3.13: make PYTHON=/path/to/python3.12 ...' >&2; \
		exit 1; }
	$(PYTHON) -m venv .venv

.venv/live.stamp: requirements/live.txt pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --require-hashes -r requirements/live.txt
	$(BIN)/pip install --quiet --no-deps -e .
	touch $@

# The live lock is a subset of this one, version for version.
.venv/dev.stamp: requirements/dev.txt pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet -r requirements/dev.txt
	$(BIN)/pip install --quiet --no-deps -e .
	touch .venv/live.stamp $@

.venv-proofs/proofs.stamp: requirements/proofs.txt | .venv/bin/python
	.venv/bin/python -m venv .venv-proofs
	.venv-proofs/bin/pip install --quiet -r requirements/proofs.txt
	touch $@

# npm ci empties node_modules first, stamps included.
node_modules/live.stamp: package-lock.json package.json
	npm ci --omit=dev --no-audit --no-fund
	touch $@

node_modules/dev.stamp: package-lock.json package.json
	npm ci --no-audit --no-fund
	touch node_modules/live.stamp $@

$(CACHE)/lock/bin/uv:
	$(PYTHON) -m venv "$(CACHE)/lock"
	"$(CACHE)/lock/bin/pip" install --quiet uv==$(UV_VERSION)
