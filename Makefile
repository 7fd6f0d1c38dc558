# make demo and make test do all the set-up: a virtual environment in .venv with the versions of constraints.txt, and
# every EDA tool from a wheel. Needed beforehand: Python 3.11 with venv, g++, make, perl (scripts/bootstrap.sh checks).
#
#   PYTHON     the interpreter that the environment is made from (python3)
#   VENV       where the environment lives (.venv)
#   SNNC_DATA  a folder with the folders mnist/ and fashion-mnist/ of idx files; optional

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=

bin := $(VENV)/bin
# The set-up is good for exactly these two files; a changed one makes the next run install again.
stamp := $(VENV)/.snnc-stamp

.DEFAULT_GOAL := help
.PHONY: help setup demo quick test lint nightly benchmarks peers site constraints clean

help:
	@echo "make demo        distil, compile, verify and place and route a small network, in about two minutes"
	@echo "make quick       lint, types and the tests that need no simulation, training or placement: under 90 s"
	@echo "make test        lint, types and the whole test suite"
	@echo "make lint        lint and types alone"
	@echo "make nightly     the tests that are too long for make test"
	@echo "make benchmarks  measure what the README's table states"
	@echo "make peers       install the libraries that benchmarks and nightly tests compare with"
	@echo "make site        the documentation as a site, in build/site"
	@echo "make setup       the environment alone (the others do it by themselves)"
	@echo "make clean       remove caches and build folders; the environment stays"

setup: $(stamp)

$(stamp): pyproject.toml constraints.txt scripts/bootstrap.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" STAMP="$(stamp)" bash scripts/bootstrap.sh

demo: $(stamp)
	@$(bin)/snnc demo

lint: $(stamp)
	@$(bin)/ruff check
	@$(bin)/mypy

quick: lint
	@$(bin)/python -m pytest -m "not nightly and not heavy" -n auto --dist worksteal $(PYTEST_ARGS)

# pytest comes last and says the last word: its closing line is the summary. A module's tests stay in one worker, for
# they share what it compiled.
test: lint
	@$(bin)/python -m pytest -m "not nightly" -n auto --dist loadscope $(PYTEST_ARGS)

nightly: $(stamp)
	@$(bin)/python -m pytest -m nightly -n auto --dist worksteal $(PYTEST_ARGS)

benchmarks: $(stamp)
	@$(bin)/python benchmarks/run.py

# Beside the environment's own packages, whose versions stay: see benchmarks/peers.txt.
peers: $(stamp)
	@$(bin)/python -m pip install --quiet --no-deps --requirement benchmarks/peers.txt

site: $(stamp)
	@NO_MKDOCS_2_WARNING=1 $(bin)/mkdocs build --strict

# After a change of versions in $(VENV). The comment at the head of the file is kept.
constraints: $(stamp)
	@{ sed -n '/^#/p' constraints.txt; $(bin)/pip freeze --all --exclude pip --exclude snnc | sed 's/+.*//'; } > constraints.txt.new
	@mv constraints.txt.new constraints.txt

clean:
	rm -rf build dist .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
