# run: the whole pipeline on the real data, or on generated data if they are not available
# smoke: the same on a small generated data set      test, lint: what every change must pass, without any service
# test-all: test, what needs a browser, every shape of data, results.json: the figures of a generated run, cluster-test
# cluster-test: a Spark cluster on this machine whose workers are killed, CLUSTER_EVENTS events (skipped without Java)
# fuzz: readers and stored files under EXAMPLES random inputs each
# report: print the leaderboards again               page: outputs/index.html, all results on one page
# ask: name what you like, the models answer         dashboard: a workspace in W&B
# serve: the same over HTTP, with a page to try them  make serve FLAGS="--port 8080"
# audit: check a split for leakage                   xray: the same models under other evaluation protocols
# table: run what the published tables lack (hours at first; may be stopped), then rewrite tables and figures in docs
PYTHON ?= python3
DATASET ?= auto
# FLAGS go to every script, STAGE_FLAGS to the stages with models: make run STAGE_FLAGS="--preset classic"
FLAGS ?=
STAGE_FLAGS ?=
EXAMPLES ?= 2000
CLUSTER_EVENTS ?= 1000000
VENV := .venv
BIN := $(VENV)/bin
TINY := --dataset synthetic --synthetic.users 120 --synthetic.items 500 --wandb disabled

.PHONY: run smoke test test-all cluster-test fuzz lint report table page dashboard xray audit ask serve clean
.DELETE_ON_ERROR:

run: $(VENV)/.ready
	@$(BIN)/python -m common run-stages --fork --dataset '$(DATASET)' $(FLAGS) -- $(STAGE_FLAGS)

# One thread: on so little data others cost more than they save, and imports more than most models: each is made once.
smoke: $(VENV)/.ready
	@OMP_NUM_THREADS=1 $(BIN)/python -m common run-stages --fork $(TINY) $(FLAGS) -- --preset smoke $(STAGE_FLAGS)

report: $(VENV)/.ready
	$(BIN)/python -m common report --no-download --dataset '$(DATASET)' $(FLAGS)

table: $(VENV)/.ready
	$(BIN)/python -m common benchmark --dataset '$(DATASET)' $(FLAGS)

page: $(VENV)/.ready
	$(BIN)/python -m common page

dashboard: $(VENV)/.ready
	$(BIN)/python -m common dashboard --no-download --dataset '$(DATASET)' $(FLAGS)

xray: $(VENV)/.ready
	$(BIN)/python -m common sensitivity --no-download --dataset '$(DATASET)' $(FLAGS)

audit: $(VENV)/.ready
	$(BIN)/python -m common leakage --no-download --dataset '$(DATASET)' $(FLAGS)

ask: $(VENV)/.ready
	$(BIN)/python recommend.py

serve: $(VENV)/.ready-serve
	$(BIN)/python -m common serve --dataset '$(DATASET)' $(FLAGS)

test: $(VENV)/.ready-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --durations 20 -m "not browser and not thorough"

test-all: $(VENV)/.ready-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile
	@$(MAKE) --no-print-directory cluster-test

cluster-test: $(VENV)/.ready-dev
	CLUSTER_EVENTS=$(CLUSTER_EVENTS) OMP_NUM_THREADS=1 $(BIN)/python -m pytest --durations 5 -rs tests/cluster/test_on_a_cluster.py

fuzz: $(VENV)/.ready-dev
	FUZZ_EXAMPLES=$(EXAMPLES) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m fuzz tests

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Encore needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 run" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.ready-serve: requirements.txt requirements-serve.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-serve.txt
	@touch $@

$(VENV)/.ready-dev: requirements.txt requirements-serve.txt requirements-export.txt requirements-spark.txt requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
