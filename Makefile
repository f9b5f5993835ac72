# Everything runs in a virtual environment with the versions of constraints.txt. Each Python needs its own environment:
# make test PYTHON=python3.12 VENV=.venv-3.12
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 3000
# May be more than the number of cores, since tests often wait for the server or for a lock.
WORKERS ?= 4
# The test files or folders to run. Empty means all.
TESTS ?=

.PHONY: help install run test check schema pictures faults drawn kills year bench clean reset
help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 10

install: $(VENV)/.installed  ## make the virtual environment
$(VENV)/.installed: pyproject.toml constraints.txt hashes.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || \
	  { echo "Python 3.11, 3.12, 3.13 or 3.14 is needed, as in: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement hashes.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	@touch $@

run: install  ## start PostgreSQL, make demonstration data, serve the Dagster UI on PORT
	$(BIN)/yumai demo --if-empty
	$(BIN)/yumai dev --port $(PORT)

test: install  ## run the tests
	$(BIN)/pytest --numprocesses $(WORKERS) $(TESTS)

check: install  ## lint, check types and what may import what, lint the SQL and what migrations lock
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/sqlfluff lint --nocolor --disable-progress-bar sql
	$(BIN)/squawk sql/migrations/*.sql

schema: install  ## write the files that are made from the migrations, the functions and the registry
	$(BIN)/python -m scripts.write_schema

pictures: install  ## take the pictures that the README shows, in a browser; look at them before you commit them
	$(BIN)/pytest --pictures docs/pictures tests/ui/test_ui.py -k "picture or report"

# How many statements of each operation are broken in each way: a number, one of each class (classes), or all.
FAULTS ?= classes
# How many lives are lived under settings that are drawn, and as many in worlds that are.
LIVES ?= 100
faults: install  ## break each kind of statement of every operation in every way, and live in many hostile worlds; takes long
	$(BIN)/pytest --numprocesses $(WORKERS) --faults $(FAULTS) --lives $(LIVES) -o timeout=86400 tests/hostile/test_faults.py tests/hostile/test_settings.py tests/hostile/test_worlds.py tests/adoption/test_concurrency.py

# The numbers of the first and the last older database that is drawn, and where what became of each is kept.
FIRST ?= 0
LAST ?= 4999
DRAWN ?= .yumai/drawn
drawn: install  ## adopt the older databases of the numbers from FIRST to LAST by WORKERS at once, and say what became of each kind
	$(BIN)/python -m tests.adoption.many $(FIRST) $(LAST) $(WORKERS) $(DRAWN)

# At how many moments the container of each job is killed. IMAGE is one that deploy/Dockerfile has made, if there is one;
# otherwise the containers show, read-only, the programs of this machine.
KILLS ?= 3
IMAGE ?=
kills: install  ## kill the container of each job in the middle, and compare what is there afterwards; needs Docker, takes long
	$(BIN)/pytest --kills $(KILLS) $(if $(IMAGE),--worker-image $(IMAGE)) tests/deploy/test_kills.py

year: install  ## let fourteen months pass, with outages, deployments, clocks that jump and a chatbot that writes; this takes long
	$(BIN)/pytest --year whole --timeout 7200 --log-cli-level INFO tests/year

SCALE ?= small
bench: install  ## measure what the project promises, and what one would do without it (SCALE=small|medium|large)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group bench
	$(BIN)/python -m benchmarks --scale $(SCALE)

clean:  ## remove the virtual environment and caches; the data stays
	rm -rf .venv .venv-* .mypy_cache .pytest_cache .ruff_cache dist

reset: install  ## stop the embedded server and remove its data
	env -u YUMAI_DATABASE_URL YUMAI_HOME=.yumai $(BIN)/yumai down
	rm -rf "$$($(BIN)/python -c 'import os; print(os.path.realpath(".yumai/server"))')" .yumai
