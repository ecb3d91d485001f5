# `make run` and `make test` work on a fresh machine that has Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXAMPLE ?= nsw_mixtape
OUT ?= out

.PHONY: run test test-all check format bench clean

run: $(VENV)/.run
	mkdir -p $(OUT)
	$(BIN)/whence analyze --example $(EXAMPLE) --report $(OUT)/$(EXAMPLE).html

test: check
	$(BIN)/pytest -n auto --dist loadscope

test-all: check $(VENV)/.peers
	WHENCE_EXAMPLES=explore $(BIN)/pytest -n auto --dist loadscope -m ""

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python tools/check_rules.py

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.peers
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) $(OUT)

$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install --quiet -c constraints.txt -e ".[examples]"
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@ $(VENV)/.run

$(VENV)/.peers: $(VENV)/.dev
	$(BIN)/pip install --quiet -c constraints.txt -e ".[peers]"
	touch $@
