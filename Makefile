# Two commands are enough: `make dance SONG=my.mp3` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out

.PHONY: dance test blender browser lint types bench clean

# Everything in one install call for each purpose: a package that needs torch, resolved apart from our
# range, would pull a build of several gigabytes.
$(VENV)/.dance: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "duende needs Python 3.10 or newer; name one with PYTHON=python3.12" >&2; exit 2; }
	@echo "installing duende into $(VENV) (about a minute, once)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.develop: pyproject.toml
	@echo "installing duende with tools for training and tests into $(VENV) (about a minute, once)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[train,data,dev]'
	@touch $@ $(VENV)/.dance

dance: $(VENV)/.dance
	@$(BIN)/duende dance $(if $(SONG),"$(SONG)") --out "$(OUT)" $(ARGS)

test: lint types
	$(BIN)/pytest -n 2 -m "not slow and not blender and not browser" $(ARGS)

# Our files opened in real Blender, and in Chromium by three.js, three-vrm and glTF's validator.
blender: $(VENV)/.develop
	$(BIN)/pytest -m blender $(ARGS)

browser: $(VENV)/.develop
	$(BIN)/pytest -m browser $(ARGS)

lint: $(VENV)/.develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.develop
	$(BIN)/mypy

bench: $(VENV)/.develop
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) out
