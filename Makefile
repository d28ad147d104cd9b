# make lab        open the course in JupyterLab (makes the environment first); PORT=8889, BROWSER=no, OPTIONS='…'
# make test       tests, notebooks, grader, browser
# make test-thorough  what takes long: the grader under attack, the tasks' misconceptions, a class of students
# make test-mutants  mechanical mutants of our solutions, which the grader should reject: half an hour
# make test-portable  every notebook on other Pythons, threads and versions, and built anew (needs uv; an hour or two)
# make test-fast  what needs neither TensorFlow nor a browser nor patience: all but every misconception
# make test-browser  the browser's tests alone
# make lint       ruff: what it finds, and whether it would format anything otherwise
# make setup      make the environment alone, in .venv; PYTHON=… names the interpreter
# make build      make notebooks/, exercises/, solutions/ and docs/ from sources/
# make reset NOTEBOOK=01_number_formats   start an exercise notebook afresh, keeping a dated copy of yours
# make bench      measure, and write benchmarks/RESULTS.md (about half an hour; leave the machine alone)
# make bounds     print what a learner waits for, each beside its bound (some minutes)
# make audit      ask the advisory service about every package of the lock (needs pip-audit and a network)
# make lock       write requirements.txt anew from pyproject.toml (needs uv)
# make clean      delete the environment and what the tools leave behind

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made
PYTHON ?=
PORT ?= 8888
BROWSER ?= yes
OPTIONS ?=
ARMS ?=
SECTIONS ?=
START := notebooks/00_start_here.ipynb
# Two workers; a notebook, a test file without classes, and a test class each stay together on one of them.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadscope
# Each of these starts what it needs, so that it does not matter where it runs.
PYTEST_BROWSER := $(BIN)/python -m pytest -n 2 --dist worksteal -m browser
NOTEBOOKS := --nbval notebooks solutions

# The caller may have switched bytecode off, which triples the time that TensorFlow takes to import.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH

.PHONY: setup lab test test-thorough test-mutants test-portable test-fast test-browser bench bounds build reset lint audit lock clean

setup: $(STAMP)

$(STAMP): requirements.txt pyproject.toml tools/make_env.sh
	@PYTHON="$(PYTHON)" bash tools/make_env.sh $(VENV)
	@touch $@

lab: $(STAMP)
	$(BIN)/jupyter lab --port=$(PORT) --LabApp.default_url=/lab/tree/$(START) \
		$(if $(filter no,$(BROWSER)),--no-browser) $(OPTIONS)

test: $(STAMP) lint
	@bash tools/install_browser.sh
	$(PYTEST) -m "not browser and not thorough" $(NOTEBOOKS) tests
	$(PYTEST_BROWSER) tests

test-thorough: $(STAMP)
	$(PYTEST) -m thorough tests

test-mutants: $(STAMP)
	$(BIN)/python -m tests.grading.mutants

test-portable: $(STAMP)
	$(BIN)/python tools/test_portable.py $(ARMS)

test-fast: $(STAMP)
	$(PYTEST) -m "not browser and not tensorflow and not slow and not thorough" $(NOTEBOOKS) tests

test-browser: $(STAMP)
	@bash tools/install_browser.sh
	$(PYTEST_BROWSER) tests

bench: $(STAMP)
	$(BIN)/python benchmarks/run.py $(SECTIONS)

bounds: export PYTHONPATH := $(CURDIR)
bounds: $(STAMP)
	@bash tools/install_browser.sh
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/bit_flip.py
	$(BIN)/python benchmarks/check_latency.py 5

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

build: $(STAMP)
	$(BIN)/python tools/build.py
	$(BIN)/python tools/bit_explorer.py

reset: $(STAMP)
	$(BIN)/halfbits reset $(or $(NOTEBOOK),$(error say which: make reset NOTEBOOK=01_number_formats))

# Without --strict a package that the service does not know of passes.
audit:
	pip-audit --strict --disable-pip --require-hashes --requirement requirements.txt

lock:
	uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade --quiet --output-file requirements.txt

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis *.egg-info
