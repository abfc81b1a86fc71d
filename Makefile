# `make demo` and `make test` do all of their own set-up; each works on a fresh clone.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export ORT_DISABLE_TELEMETRY := 1

.PHONY: demo test lint check slow docs notebooks licences emulated-board format wheel release-check clean

# Exit code 4 says that no measurement certified the winner, as on a busy machine. The pipeline worked.
demo: $(READY)
	$(BIN)/automoe run examples/quickstart.yaml || [ $$? -eq 4 ]

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

slow: $(READY)
	$(BIN)/python -m pytest -m slow

docs: $(READY)
	$(BIN)/python docs/write_accuracy.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	$(BIN)/python docs/site/check_links.py site

# OVERWRITE=--overwrite keeps the new outputs; the machine should be idle then.
notebooks: $(READY)
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=600 $(OVERWRITE) docs/notebooks

licences: $(READY)
	$(BIN)/python docs/write_licences.py

emulated-board:
	tests/emulation/build.sh "$${AUTOMOE_EMULATED_BOARD:-$$HOME/.cache/automoe-emulated-board}"

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The same commit gives the same bytes: the time in the archives is that of the commit.
wheel: $(READY)
	rm -rf dist
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct || echo 1580601600)} $(BIN)/python -m build
	$(BIN)/check-wheel-contents dist/*.whl

release-check: $(READY)
	$(BIN)/python docs/release_check.py

clean:
	rm -rf $(VENV) dist runs site

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $(READY)
