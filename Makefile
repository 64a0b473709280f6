# Two commands matter: `make demo` and `make test`. Both set up what they need in .venv, and are cheap to call again.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test quick lint types fix docs bench sizes clean help

help:            ## show this list
	@grep -E '^[a-z]+: .*## |^[a-z]+:  *## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(STAMP)   ## teach the embedded model the Phoenix page, prove it, and ask it a question
	$(BIN)/python examples/phoenix/demo.py

test: $(STAMP) lint types   ## everything that CI checks
	$(BIN)/pytest

quick: $(STAMP)  ## the unit tests only
	$(BIN)/pytest tests/unit tests/architecture

lint: $(STAMP)   ## style, import contracts, generated reference
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

types: $(STAMP)  ## static types
	$(BIN)/mypy

fix: $(STAMP)    ## mend style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)   ## write docs/reference from the commands and settings
	$(BIN)/python docs/generate.py

bench: $(STAMP)  ## measure; results go to bench/results
	$(BIN)/python bench/help_time.py
	$(BIN)/python bench/chunking.py
	$(BIN)/python bench/documents.py
	$(BIN)/python bench/taxonomy_diff.py

sizes:           ## the longest modules and functions
	@$(PYTHON) bench/sizes.py

clean:           ## remove the environment and the demo's files
	rm -rf $(VENV) demo

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (set PYTHON=...)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq python3-venv; } || \
	  { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $(STAMP)
