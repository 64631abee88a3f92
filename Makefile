# Two commands do everything: `make report` and `make test`. Both make the environment if need be.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= 2
STUDY ?= configs/quick.yaml
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help report full examples env test lint types unit lock clean

help:  ## Say what there is.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

report: env  ## Run the quick study and write its report (STUDY=config.yaml for another).
	$(BIN)/snakemake --cores $(CORES) --rerun-incomplete --quiet rules --configfile $(STUDY)
	@$(BIN)/python -m vaestudy where --config $(STUDY)

full:  ## Run the full study on all cores.
	$(MAKE) report STUDY=config.yaml CORES=all

examples: env  ## Execute the examples and write them as notebooks beside them.
	$(BIN)/python examples/make_notebooks.py

env: $(VENV)/.installed  ## Make the environment from the lock file.

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "vaestudy needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version). Use: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

test: lint types unit  ## Lint, check types, run every test.

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

types: env
	$(BIN)/mypy

unit: env
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lock:  ## Resolve the dependencies anew (needs uv).
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header -o requirements.lock
	$(PYTHON) envs/from_lock.py

clean:  ## Remove the environment and caches; results stay.
	rm -rf $(VENV) .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis
