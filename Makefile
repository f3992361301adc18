# `make` alone lists the commands. Those that need the package make a virtual environment
# in .venv and install it there, when there is none or when its requirements changed.

VENV ?= .venv
BIN  := $(VENV)/bin

# The first Python that is new enough; `make test PYTHON=/path/to/python3.12` picks another
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && echo $$p && break; done)

.PHONY: help demo test bench sync readme docs hooks dist clean
.DEFAULT_GOAL := help

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.installed ## Draw sample faces, learn them, name the known, refuse the strangers
	@$(BIN)/byteface demo

test: $(VENV)/.installed-dev ## Check that everything is in step, that the site builds and that every notebook runs
	@$(BIN)/python tools/check.py

bench: $(VENV)/.installed-bench ## Time every stage beside what people use today, into benchmarks/bench.json: 15 minutes on 2 cores
	@$(BIN)/python -W ignore benchmarks/bench.py

sync: $(VENV)/.installed-dev ## After changing a notebook: export modules, clean notebooks, render README.md
	@$(BIN)/python tools/sync.py

readme: sync ## The same as sync

docs: $(VENV)/.installed-dev ## Build the documentation site in _docs; it opens with the tour
	@$(BIN)/python tools/docs.py

hooks: $(VENV)/.installed-dev ## Set up git to diff and merge notebooks, and Jupyter to save them clean
	@PATH="$(abspath $(BIN)):$$PATH" nbdev-install-hooks
	@echo "git now calls nbdev-merge and nbdev-diff-driver: have $(BIN) on your PATH (. $(BIN)/activate)."

dist: $(VENV)/.installed-dev ## Build the sdist and the wheel in dist
	@$(BIN)/python -m build

clean: ## Remove what these commands made, the virtual environment included
	rm -rf .venv _docs _proc build dist demo *.egg-info

$(BIN)/python:
	@$(or $(PYTHON),false) -c '$(NEW_ENOUGH)' 2>/dev/null || { \
		echo "facereid_nb needs Python 3.11 or newer, and $(or $(PYTHON),python3) is not."; \
		echo "Install one, or name it: make test PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Making a virtual environment in $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(BIN); \
		echo "Python could not make it. On Debian and Ubuntu: apt install python3-venv, then try again."; exit 1; }

$(VENV)/.installed: EXTRAS :=
$(VENV)/.installed-dev: EXTRAS := [dev]
$(VENV)/.installed-bench: EXTRAS := [bench]
$(VENV)/.installed $(VENV)/.installed-dev $(VENV)/.installed-bench: settings.ini setup.py pyproject.toml | $(BIN)/python
	@echo "Installing facereid_nb$(EXTRAS) into $(VENV): minutes and some 6 GB the first time, nearly all of it torch"
	@$(BIN)/python -m pip install --disable-pip-version-check -e ".$(EXTRAS)"
	@touch $(VENV)/.installed $@
