# Everything happens in .venv, made from the lock files with whatever pip is set up to use.
# `make` alone prints the targets.

PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
# Every package is pinned by hash, so nothing is left for pip to resolve.
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes
# For every Python from the oldest on: Debian 12 has 3.11.2, which needs more than 3.11.3 does.
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url $(if $(UPGRADE),--upgrade)
# How many processes run the tests. With three on two cores, both cores work while a test waits.
TEST_PROCESSES ?= 3
# Extra arguments: `make demo ARGS="--port 8080"`, `make test ARGS="-k outbox"`.
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup setup-dev link browser demo test test-servers test-busy coverage mutants lint prose format messages language migration lock validate bench lives lives-faults year year-faults relay-faults clean

help: ## print the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name what; do \
		printf '  make %-10s %s\n' "$$name" "$$what"; done

setup: $(VENV)/.installed link ## make .venv with what the service needs
	@echo "Ready: $(BIN)/newsletter --help"

setup-dev: $(VENV)/.installed-dev link ## make .venv with the development tools too

demo: $(VENV)/.installed link ## run the whole service with sample releases and a mailbox page (Ctrl-C stops it)
	@exec $(BIN)/newsletter demo $(ARGS)

test: setup-dev browser lint ## run all checks and all tests, as CI does
	$(PY) -m pytest -n $(TEST_PROCESSES) $(ARGS)

test-servers: setup-dev ## test with a real Dovecot and Postfix (on Debian: apt install dovecot-imapd dovecot-pop3d postfix)
	$(PY) -m pytest -m servers $(ARGS)

test-busy: setup-dev browser ## run all tests in three random orders, beside four busy loops (SEEDS="1 2 3")
	@for loop in 1 2 3 4; do (while :; do :; done) & loops="$$loops $$!"; done; \
	trap "kill $$loops" EXIT; trap 'exit 1' INT TERM; \
	for seed in $(or $(SEEDS),1 2 3); do $(PY) -m pytest -n $(TEST_PROCESSES) -p no:cacheprovider --randomly-seed=$$seed $(ARGS) || exit 1; done

coverage: setup-dev browser ## run all tests and say which lines they run (test-output/coverage); takes longer than `make test`
	$(PY) -m pytest -n $(TEST_PROCESSES) --cov --cov-report=term --cov-report=html:test-output/coverage $(ARGS)

validate: setup-dev browser ## check pages and emails with axe, html-validate, caniemail, SpamAssassin and Lighthouse
	@PYTHONPATH=tests $(PY) -m validators.run

mutants: setup-dev ## change the modules that decide in many small ways: their own tests must notice 90 % (20 minutes)
	@rm -rf mutants
	$(BIN)/mutmut run --max-children 2
	@PYTHONPATH=tests $(PY) -m mutant_score

bench: setup-dev ## measure the speed (ROW=signed for one row); AGAINST=<commit> compares two versions
	@PYTHONPATH=tests $(PY) -m benchmarks.run $(ROW) $(if $(AGAINST),--against $(AGAINST)) \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SIZE),--size $(SIZE)) $(ARGS)

lives: setup-dev ## test 20,000 random histories of an installation on SQLite and 5,000 on PostgreSQL (hours)
	@PYTHONPATH=tests $(PY) -m lives.run $(ARGS)

lives-faults: setup-dev ## put each known fault back in turn, and check that a random history finds it (FAULT=3 for one)
	@PYTHONPATH=tests $(PY) -m lives.run --faults $(FAULT) $(ARGS)

year: setup-dev ## simulate a year of a schedule in parts of two weeks, with an oracle (ARGS="--postgresql" for PostgreSQL)
	@PYTHONPATH=tests $(PY) -m year.run $(ARGS)

year-faults: setup-dev ## put each known fault of schedules back in turn, and check that the simulation finds it (FAULT=3 for one)
	@PYTHONPATH=tests $(PY) -m year.run --faults $(FAULT)

relay-faults: setup-dev ## simulate faulty relays, and print who was suppressed (SIZES="60 5000")
	@PYTHONPATH=tests $(PY) tests/outbox/refused/relay_faults.py $(or $(SIZES),1 3 9 60 5000 500000)

lint: setup-dev ## check style, types, import layers and dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

prose: setup-dev ## list banned words, banned names and long sentences (FILES="docs newsletter/cli" for some)
	@PYTHONPATH=tests $(PY) -m guards.prose $(FILES)

format: setup-dev ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

browser: setup-dev ## fetch what the browser tests need
	@PYTHONPATH=tests $(PY) -m servers.chromium

messages: $(VENV)/.installed link ## add new texts to every language's catalogue, and list what is not translated
	@$(BIN)/newsletter language update

language: $(VENV)/.installed link ## add a language (CODE=pl), and say what to translate
	@$(BIN)/newsletter language add $(CODE)

migration: setup-dev ## write a migration from the changed models (NAME="add a column"); read it before you commit it
	@folder=$$(mktemp -d); trap "rm -rf $$folder" EXIT; \
	alembic="$(PY) -m alembic -c migrations/alembic.ini -x url=sqlite:///$$folder/newsletter.sqlite"; \
	$$alembic upgrade head && $$alembic revision --autogenerate -m "$(NAME)"

lock: setup-dev ## pin the dependencies again (UPGRADE=1 takes the newest versions)
	$(COMPILE) --all-extras --group dev -o requirements-dev.txt
	$(COMPILE) -c requirements-dev.txt -o requirements.txt

clean: ## remove .venv, node_modules and all other generated files, but not the demo's data
	rm -rf $(VENV) node_modules test-output mutants dist build htmlcov .coverage .coverage.* \
		.pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find newsletter tests migrations -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: requirements.txt | $(PY)
	@echo "Installing the pinned packages into $(VENV) ..."
	@$(PIP_INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt | $(PY)
	@echo "Installing the pinned packages and the development tools into $(VENV) ..."
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@

$(PY):
	@found=; for name in "$(PYTHON)" python3 python3.14 python3.13 python3.12 python3.11; do \
		if [ -n "$$name" ] && "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
		then found=$$name; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Python 3.11 or newer is needed (on Debian: apt install python3 python3-venv)," >&2; \
		echo "or say where it is: make setup PYTHON=/path/to/python3" >&2; exit 1; fi; \
	if ! "$$found" -c 'import venv, ensurepip' 2>/dev/null; then \
		echo "$$found cannot make virtual environments (on Debian: apt install python3-venv)" >&2; exit 1; fi; \
	"$$found" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# The checkout itself is put on .venv's path, with a command beside: building it would take a build
# tool that running it does not need. Written each time, so that a moved checkout finds itself again.
link: | $(PY)
	@$(PY) -c 'import os, sysconfig; \
		open(os.path.join(sysconfig.get_path("purelib"), "newsletter-checkout.pth"), "w").write(os.getcwd() + "\n")'
	@printf '#!/bin/sh\nexec "$$(dirname "$$0")/python" -m newsletter "$$@"\n' > $(BIN)/newsletter
	@chmod +x $(BIN)/newsletter
