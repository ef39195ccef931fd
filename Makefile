# Everything happens in .venv beside this file. `make` alone lists what there is.
#
#   make PYTHON=python3.12 demo         another Python (3.11 to 3.13)
#   make TORCH=torch==2.13.0 demo       another torch, such as the CUDA build on a machine with a GPU

.DEFAULT_GOAL := help
.PHONY: help demo test test-benchmarks lint docs bench tables pictures clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet install -c constraints.txt

# On Linux plain torch is the CUDA build, 3 GB to download; nothing here needs it. `make TORCH=...` overrides.
TORCH_VERSION := 2.13.0
CPU_WHEELS := https://download.pytorch.org/whl/cpu
ifeq ($(shell uname -s),Linux)
CPU_TORCH := torch==$(TORCH_VERSION)+cpu
else
CPU_TORCH := torch==$(TORCH_VERSION)
endif

# One stamp for any environment, one more for a torch that was asked for: `make test` keeps whichever is there.
READY := $(VENV)/.ready$(if $(TORCH),-$(subst =,-,$(TORCH)))
TOOLS := $(VENV)/.tools
SPHINX := $(VENV)/.sphinx
CODE := src tests benchmarks examples docs/conf.py docs/_ext
COMPILED := src/kinespan/io/_scan.c

# Two workers of one thread each are faster than one of two, and the same on every machine.
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

demo: $(READY)  ## set up, then run the main job on the built-in corpus; ends with the path of a report
	@$(BIN)/kinespan demo --out demo

test: $(READY)  ## set up, then run the whole test suite
	@$(TEST)

test-benchmarks: $(READY)  ## set up, then run the tests of the benchmarks, which `make test` leaves out
	@$(TEST) benchmarks/tests

lint: $(TOOLS)  ## check style and types
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/mypy

docs: $(SPHINX)  ## run the examples and build the documentation; ends with the path of its home page
	@rm -rf docs/api/generated
	@OMP_NUM_THREADS=1 $(BIN)/sphinx-build -q -W --keep-going -n docs docs/_build
	@echo "documentation: $(CURDIR)/docs/_build/index.html"

bench: $(READY)  ## measure the speed of every stage against the field's usual way, side by side
	@$(BIN)/python -m benchmarks.speed

tables: $(READY)  ## write docs/research/catalogue.md, the tables of all methods, encoders, ... by name
	@$(BIN)/kinespan list all --markdown > docs/research/catalogue.new && mv docs/research/catalogue.new docs/research/catalogue.md

pictures: $(READY)  ## take the pictures of the page in README and docs anew, which trains a model first
	@KINESPAN_PICTURES=$(CURDIR)/docs/images $(BIN)/python -m pytest -q tests/acceptance/test_page_pictures.py

clean:  ## remove the environment and what tests and tools leave behind
	rm -rf $(VENV) demo build docs/_build docs/gallery docs/api/generated examples/report.html $(COMPILED:.c=.*.so) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info[:2] <= (3, 13); sys.exit(0 if ok else \
	"kinespan needs Python 3.11, 3.12 or 3.13; $(PYTHON) is %d.%d. Try: make PYTHON=python3.12" % sys.version_info[:2])'
	@echo "making the environment $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(READY): $(VENV)/pyvenv.cfg pyproject.toml constraints.txt $(COMPILED)
	@rm -f $(VENV)/.ready* $(TOOLS) $(SPHINX)
ifdef TORCH
	@echo "installing $(TORCH)"
	@$(BIN)/python -m pip --quiet uninstall --yes torch
	@$(PIP) "$(TORCH)"
else
	@echo "installing $(CPU_TORCH) (about 200 MB, once)"
	@$(PIP) "$(CPU_TORCH)" 2>/dev/null || $(PIP) --extra-index-url $(CPU_WHEELS) "$(CPU_TORCH)"
endif
	@echo "installing kinespan and what its tests need, versions pinned by constraints.txt"
	@$(PIP) setuptools
	@$(PIP) --no-build-isolation -e '.[test]'
	@touch $(VENV)/.ready $@

$(TOOLS): $(READY)
	@echo "installing the development tools"
	@$(PIP) --no-build-isolation -e '.[dev]'
	@touch $@

$(SPHINX): $(READY)
	@echo "installing what the documentation is built with"
	@$(PIP) --no-build-isolation -e '.[docs]'
	@touch $@
