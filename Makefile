# Two commands for a newcomer: `make demo` and `make test`. Each makes the environments that it needs.

PYTHON ?= python3
# The oldest versions have no wheels for the newest Pythons, so they are tested on the oldest Python at hand.
OLDEST_PYTHON ?= $(shell for p in python3.10 python3.11 python3.12 $(PYTHON); do $$p -c "" 2>/dev/null && echo $$p && break; done)

NEWEST := .venv
OLDEST := .venv-oldest
OPENAI2 := .venv-openai2
NEIGHBOURS := .venv-neighbours
# Who is measured against whom: each in an environment of its own.
CONTENDERS := $(filter-out versions,$(basename $(notdir $(wildcard benchmarks/environments/*.txt))))

# What is watched: each has a table of its own in docs/performance.md.
SUITES := openai langchain

.PHONY: demo demo-live test test-newest test-openai2 test-oldest test-neighbours check lint format types docs bench clean

demo: $(NEWEST)/ready ## record calls to a built-in scripted server, and show what was recorded
	$(NEWEST)/bin/python examples/demo.py

demo-live: $(NEWEST)/ready ## the same against the real API; needs OPENAI_API_KEY and costs a fraction of a cent
	$(NEWEST)/bin/python examples/demo.py --live

test: test-newest test-openai2 test-oldest test-neighbours ## the whole suite on the newest, the middle and the oldest versions, and beside others

test-newest: $(NEWEST)/ready
	$(NEWEST)/bin/python -m pytest -q -n auto

test-openai2: $(OPENAI2)/ready
	$(OPENAI2)/bin/python -m pytest -q -n auto tests/openai

test-oldest: $(OLDEST)/ready
	$(OLDEST)/bin/python -m pytest -q -n auto

test-neighbours: $(NEIGHBOURS)/ready
	$(NEIGHBOURS)/bin/python -m pytest -q -n auto tests/neighbours

check: lint types test ## format, lint, types, tests

lint: $(NEWEST)/ready
	$(NEWEST)/bin/ruff format --check .
	$(NEWEST)/bin/ruff check .

format: $(NEWEST)/ready
	$(NEWEST)/bin/ruff check --fix .
	$(NEWEST)/bin/ruff format .

types: $(NEWEST)/ready
	$(NEWEST)/bin/mypy

docs: $(NEWEST)/ready ## write the pages that are made from the code
	$(NEWEST)/bin/python docs/generate.py

bench: $(CONTENDERS:%=.bench/%/ready) ## what recording costs, against the peers; BENCH="--memory --write docs/performance.md"
	for suite in $(SUITES); do .bench/spantape/bin/python benchmarks/overhead.py --suite $$suite $(BENCH) || exit 1; done

clean:
	rm -rf .venv .venv-oldest .venv-openai2 .venv-neighbours .bench demo-records .pytest_cache .mypy_cache .ruff_cache

$(NEWEST)/ready: pyproject.toml
	$(PYTHON) -m venv $(NEWEST)
	$(NEWEST)/bin/python -m pip install -q --upgrade pip
	$(NEWEST)/bin/python -m pip install -q -e ".[dev]"
	touch $@

$(OPENAI2)/ready: pyproject.toml constraints/openai2.txt
	$(PYTHON) -m venv $(OPENAI2)
	$(OPENAI2)/bin/python -m pip install -q --upgrade pip
	$(OPENAI2)/bin/python -m pip install -q -e ".[test]" -c constraints/openai2.txt
	touch $@

$(OLDEST)/ready: pyproject.toml constraints/oldest.txt
	$(OLDEST_PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install -q --upgrade pip
	$(OLDEST)/bin/python -m pip install -q -e ".[test]" -c constraints/oldest.txt
	touch $@

$(NEIGHBOURS)/ready: pyproject.toml
	$(PYTHON) -m venv $(NEIGHBOURS)
	$(NEIGHBOURS)/bin/python -m pip install -q --upgrade pip
	$(NEIGHBOURS)/bin/python -m pip install -q -e ".[neighbours]"
	touch $@

.bench/%/ready: benchmarks/environments/%.txt benchmarks/environments/versions.txt pyproject.toml
	$(PYTHON) -m venv .bench/$*
	.bench/$*/bin/python -m pip install -q --upgrade pip
	.bench/$*/bin/python -m pip install -q -r benchmarks/environments/$*.txt
	touch $@
