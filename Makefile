# Everything starts here. Needs python3 (3.11 to 3.14) and make; each target fetches what it lacks, pinned by hash.
#   another Python:   make test PYTHON=python3.13 VENV=.venv-3.13
#   more words:       make tick ARGS="--help"

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

PY := $(VENV)/bin/python
WEB := $(VENV)/.web
DEV := $(VENV)/.dev
BENCH := $(VENV)-bench/.bench
# Bytecode is written as modules are imported; pip would write that of all others as well, for half a minute.
INSTALL := -m pip install --disable-pip-version-check --require-hashes --only-binary=:all: --no-compile

.DEFAULT_GOAL := help
export PORT SPEED RESET MARKET CANDLES FUNDING
.PHONY: help venv demo race test tick lint bench check clean lock

help: ## show this list
	@printf 'BitNerve: AI agents trade perpetual futures against each other, on paper.\n\n'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name what; do printf '%-14s%s\n' "$$name" "$$what"; done

demo: $(WEB) ## a live season in your browser: PORT=, SPEED=, RESET=1, MARKET=replay CANDLES= FUNDING=
	$(PY) manage.py compile_kernels
	@exec $(PY) manage.py demo $(ARGS)

race: $(WEB) ## a month of the simulated market in your terminal
	$(PY) manage.py compile_kernels
	$(PY) manage.py race $(ARGS)

tick: $(WEB) ## one recorded tick, step by step
	$(PY) manage.py tick $(ARGS)

test: $(DEV) ## run the tests
	$(PY) manage.py compile_kernels
	$(PY) -m pytest -n 2 $(ARGS)

lint: $(DEV) ## style, import contracts, types, migrations
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports
	$(PY) -m mypy
	$(PY) manage.py makemigrations --check --dry-run

check: lint test ## lint, then test: what CI runs

bench: $(DEV) $(BENCH) ## measure the kernels against their peers
	BITNERVE_BENCH_PYTHON=$(VENV)-bench/bin/python $(PY) -m tests.bench $(ARGS)

lock: $(DEV) ## compile requirements/*.txt anew; UPGRADE=1 moves every pin
	for layer in base web dev bench; do \
	  $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade) \
	    requirements/$$layer.in --output-file requirements/$$layer.txt || exit 1; \
	done

clean: ## remove the environments and every cache, but nothing that was recorded
	rm -rf $(VENV) $(VENV)-bench var/kernels .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environments. A stamp is newer than the pins it was installed from, so a second start installs nothing.
venv: $(WEB)

$(VENV)/bin/python $(VENV)-bench/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo 'BitNerve needs Python 3.11 to 3.14, and $(PYTHON) is not here. Name another: make PYTHON=python3.12 ...' >&2; exit 1; }
	@$(PYTHON) requirements/supported.py
	$(PYTHON) -m venv --clear $(@D:/bin=) || { rm -rf $(@D:/bin=); exit 1; }

$(WEB): requirements/web.txt | $(VENV)/bin/python
	$(PY) $(INSTALL) -r $<
	@touch $@

$(DEV): requirements/dev.txt | $(VENV)/bin/python
	$(PY) $(INSTALL) -r $<
	@touch $@ $(WEB)

$(BENCH): requirements/bench.txt | $(VENV)-bench/bin/python
	$(VENV)-bench/bin/python $(INSTALL) -r $<
	@touch $@
