PYTHON := $(shell for name in python3.11 python3.12 python3; do command -v $$name && break; done)
VENV := .venv
READY := $(VENV)/.ready

# OpenMP threads that wait asleep: engine/threads.py says why.
export OMP_WAIT_POLICY := passive
export GOMP_SPINCOUNT := 0

.DEFAULT_GOAL := help
.PHONY: help setup run test lint fuzz bench vscode test-editors pictures

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s%s\n", $$1, $$2 }' Makefile

setup: $(READY) ## install everything into .venv

run: $(READY) ## fill the holes of the example files, drawn step by step
	$(VENV)/bin/sfumato fill --watch examples/*

test: $(READY) ## run all tests
	$(VENV)/bin/pytest

fuzz: $(READY) ## the syntax gate on 100,000 generated texts; takes some minutes
	SFUMATO_EXAMPLES=2200 $(VENV)/bin/pytest tests/unit/test_grammars.py -k "every_byte or stays_sound"

lint: $(READY) ## check style and types
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python

bench: $(READY) ## measure speed on this machine, beside what else there is
	$(VENV)/bin/sfumato bench

vscode: ## build editors/vscode/dist/sfumato.vsix; needs Node 20 or newer
	cd editors/vscode && npm ci --no-fund --no-audit && npm run package

test-editors: $(READY) vscode ## type into real Neovims and a real VS Code; pictures go to build/editors
	SFUMATO_EDITORS=$(CURDIR)/build/editors $(VENV)/bin/pytest tests/e2e/neovim tests/editors

pictures: $(READY) test-editors ## make the pictures of the README anew
	$(VENV)/bin/python docs/draw_ghost_text.py examples/queue.ts 1
	cp build/editors/vscode.png build/editors/neovim.png docs/pictures

$(READY): pyproject.toml constraints.txt
	@echo "Setting up $(VENV); this takes a few minutes."
	@test -n "$(PYTHON)" || { echo "No Python was found; install Python 3.11 or newer." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian: apt install python3-venv" >&2; exit 1; }
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[languages,train,dev]'
	@touch $@
