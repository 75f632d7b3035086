PORT ?= 8000
WORKERS ?= 2
SESSIONS ?= 1 20 100
TRIES ?= 20
ROUNDS ?= 5
CASES ?= w1 w1-500k w2 w3
PYTHON := .venv/bin/python
PIP_INSTALL := $(PYTHON) -m pip install --quiet --disable-pip-version-check
LOCK := .venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet

.DEFAULT_GOAL := run
.DELETE_ON_ERROR:
.PHONY: run setup setup-dev test lint lock screenshots bench bench-peers kill-drill faults

run: setup
	@exec $(PYTHON) manage.py up --port $(PORT)

setup: .venv/runtime.stamp
setup-dev: .venv/dev.stamp

test: setup-dev
	$(PYTHON) -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: setup-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

screenshots: setup-dev
	$(PYTHON) -m scripts.screenshots

# Less than half an hour; what the figures mean and what they were: docs/performance.md.
bench: setup-dev
	@for name in peers w1 start latency memory orders smooth kill; do $(PYTHON) -m bench.$$name || exit 1; done

# Other systems beside ours, each in an environment of its own below ALPHASWARM_PEERS (var/peers); about half an hour.
bench-peers: setup-dev
	@$(PYTHON) -m bench.peers --peers --rounds $(ROUNDS) --cases $(CASES)

# About nine minutes for the kill itself, then some twenty with parts of the stack gone; docs/performance.md.
kill-drill: setup-dev
	@$(PYTHON) -m bench.kill --sessions $(SESSIONS) --tries $(TRIES)
	@$(PYTHON) -m bench.kill_scenarios --tries $(TRIES)

# Every fault of docs/reliability.md on a whole stack; within 40 minutes, and it notes there what held.
faults: setup-dev
	@report=$$(mktemp) && { timeout --signal=INT 2400 $(PYTHON) -m pytest tests/faults -m "faults or not faults" --numprocesses 0 \
	  --junitxml $$report; status=$$?; $(PYTHON) -m scripts.promises $$report; exit $$status; }

lock: setup-dev
	$(LOCK) requirements.in --output-file requirements.txt
	$(LOCK) requirements-dev.in --output-file requirements-dev.txt

# A version manager's shim may exist and yet fail: a Python counts once it has run and told its version.
# A venv that was cut off half-way has no working pip and is made anew.
.venv/runtime.stamp: requirements.txt pyproject.toml
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { \
	  for python in $(ALPHASWARM_PYTHON) python3.12 python3.11 python3; do \
	    $$python -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' >/dev/null 2>&1 || continue; \
	    echo "Making .venv with $$($$python -V) ..."; \
	    exec $$python -m venv --clear .venv; \
	  done; \
	  echo "No working Python 3.11 or 3.12 was found. Install one, or name it: make ALPHASWARM_PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	@echo "Installing the locked packages (once) ..."
	@$(PIP_INSTALL) --require-hashes -r requirements.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev.stamp: .venv/runtime.stamp requirements-dev.txt
	@$(PIP_INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@
