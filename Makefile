# Everything runs in a plain virtual environment, with the versions of constraints.txt.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: help install test check clean
help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

install: $(VENV)/.installed  ## make the virtual environment
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet 'pip>=25.1'
	$(BIN)/pip install --quiet -c constraints.txt -e . --group dev
	touch $@

test: install  ## run the tests on the embedded PostgreSQL
	$(BIN)/pytest

check: install  ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## stop the embedded server and remove what the other targets made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache dist
