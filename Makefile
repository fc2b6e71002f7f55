.PHONY: play test quick check docs docs-site format bench files

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where bytecode is forbidden, as in many container images, each process would compile the program and its tests anew.
unexport PYTHONDONTWRITEBYTECODE

play: $(VENV)/.runtime
	$(BIN)/runner play

test: $(VENV)/.dev
	$(BIN)/pytest -n auto

quick: $(VENV)/.dev
	$(BIN)/pytest -n auto --thin

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy >$(VENV)/mypy.txt & mypy=$$!; \
	$(BIN)/pytest -n auto; tests=$$?; \
	wait $$mypy; types=$$?; \
	cat $(VENV)/mypy.txt; exit $$((tests | types))

docs: $(VENV)/.dev
	$(BIN)/python docs/make.py

docs-site: $(VENV)/.dev
	$(BIN)/mkdocs build --strict --quiet

files: $(VENV)/.dev
	$(BIN)/python scenarios/files/make_files.py

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/start_up.py
	$(BIN)/python benchmarks/checks.py
	$(BIN)/python benchmarks/entered_files.py
	$(BIN)/python benchmarks/held_up.py
	$(BIN)/python benchmarks/play_many.py
	$(BIN)/python benchmarks/play_speed.py
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/many_clients.py
	$(BIN)/python benchmarks/retrieval.py
	$(BIN)/python benchmarks/plan_many.py
	$(BIN)/python benchmarks/big_upload.py

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

# pip compiles on one core what it has installed.
$(VENV)/.dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[dev]'
	-$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib runner tests/support
	touch $@ $(VENV)/.runtime
