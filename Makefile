# make app      set up everything and open the app on a local port
# make test     set up everything and run the tests, the browser's included
# make help     the other targets

PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 8501
OUT    ?= runs/training
export PYTHON VENV

RUN := $(VENV)/bin/python -m
# Idle threads of OpenMP sleep: the processes of tests do not wait for each other.
TESTS := OMP_WAIT_POLICY=PASSIVE $(RUN)

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-bench app test test-all lint format wheel bench soak page protocol verification train clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: ## install what the app and the command line need
	@scripts/setup.sh app

setup-dev: ## install what tests and lint need
	@scripts/setup.sh dev

setup-bench: ## install what the benchmarks compare with
	@scripts/setup.sh bench

app: setup ## open the app on http://localhost:8501 (another port: make app PORT=8600)
	@echo "RelaxDesign opens at http://localhost:$(PORT)  (stop: Ctrl-C)"
	@STREAMLIT_SERVER_HEADLESS=$(if $(DISPLAY)$(WAYLAND_DISPLAY),false,true) $(RUN) relaxdesign.cli app --port $(PORT)

test: setup-dev ## run the tests, all but the slowest
	OMP_NUM_THREADS=1 $(TESTS) pytest -m "not slow and not e2e" -n auto --dist loadfile
	$(TESTS) pytest -m "not slow and e2e"

test-all: setup-dev ## run all tests, every kind of run in the browser included (hours)
	$(TESTS) pytest

lint: setup-dev ## check style, format and types
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) pyright

format: setup-dev ## put the code into the house format
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

wheel: setup-dev ## build dist/*.whl and *.tar.gz, for pip install
	$(RUN) build --outdir dist

bench: setup-bench ## run the benchmarks (hours)
	@for name in evaluator design priors library campaign; do \
		echo "== $$name"; $(VENV)/bin/python benchmarks/$$name.py || exit 1; \
	done

soak: setup-dev ## use the app for half an hour by scripted browsers, watch memory, files and errors
	$(VENV)/bin/python benchmarks/soak.py

page: setup-dev ## time the app in a real browser
	$(VENV)/bin/python benchmarks/page.py

protocol: setup-bench ## measure hit rates against baselines, write docs/results.md (hours; resumable)
	$(RUN) relaxdesign.cli protocol

verification: setup-bench ## measure the evaluator against known answers, write docs/verification.md (half an hour)
	$(RUN) benchmarks.verification

train: setup ## train a 2D prior from scratch (hours on a CPU; OUT=... for another folder)
	$(RUN) relaxdesign.cli train --dim 2 --grid 64 --name composite-2d-64 --out $(OUT)

clean: ## remove the virtual environment and caches, keep runs and designs
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
