# Hanlin: everything a newcomer or a developer types.
#   make demo    install, then train a small bilingual GPT and read what it writes
#   make test    install, then run the tests
PYTHON ?= python3
BIN := .venv/bin
# torch comes first and by exact version, so that a CPU build laid out beside pip is taken.
TORCH ?= torch==2.13.0

.PHONY: install install-dev demo test proof browser check docs bench clean

install: .venv/.installed
install-dev: .venv/.installed-dev

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet $(TORCH)
	$(BIN)/pip install --quiet --editable '.[test]'
	@touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

demo: install
	$(BIN)/hanlin demo

test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 src tests

proof: install-dev
	$(BIN)/python -m pytest -m slow tests

browser: install-dev
	$(BIN)/python -m pytest -m browser tests

check: install-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

docs: install-dev
	$(BIN)/python docs/generate.py

bench: install-dev
	$(BIN)/hanlin bench train
	$(BIN)/hanlin bench data

clean:
	rm -rf .venv runs .pytest_cache .mypy_cache .ruff_cache
