# Every target works as the first command in a fresh clone that has only Python 3.11, make and git.
# Paths are relative to this file's folder, so a folder name with spaces does no harm.

.DEFAULT_GOAL := help
.PHONY: help venv run demo test check check-style check-types check-layers check-migrations check-walls fix bench pairs chaos soak browser canvas pictures clients lock
.DELETE_ON_ERROR:

# The settings refuse to start without a secret unless development is asked for.
export LLMTEAM_DEVELOPMENT ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
# Kept even where the environment says no: a hundred processes that tests start would compile everything again.
export PYTHONDONTWRITEBYTECODE :=

PYTHON ?= python3.11
DATA ?=
PORT ?= 8000
READY = .venv/.ready
REQUIREMENTS = .venv/.requirements

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

venv: $(READY) ## set up .venv (every other target does this when needed)

run: $(READY) ## everything on this machine: database, broker, API, worker, scheduler; PORT=8000
	@PORT="$(PORT)" exec .venv/bin/python -m devserver run

demo: $(READY) ## the return desk on real invoices, killing a worker half way; DATA=file.csv
	@exec .venv/bin/python -m examples.return_desk.demo $(if $(DATA),"$(DATA)")

# Much of the time goes into waiting, so four processes share two cores well. Servers that are given are one pair, so
# one process uses them.
test: $(READY) ## the tests, on databases and brokers of their own
	@exec .venv/bin/python -m pytest $(if $(DATABASE_URL),,-n 4 --dist loadfile --no-loadscope-reorder)

soak: $(READY) ## tests of many at once, of what takes minutes, and what make test takes a sample of
	@exec .venv/bin/python -m pytest -m soak $(if $(DATABASE_URL),,-n 2 --dist loadfile)

check: check-style check-types check-layers check-migrations check-walls ## format, lint, types, layers, migrations, the wall between tenants; side by side with -j2

check-style: $(READY)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .

check-types: $(READY)
	.venv/bin/python -m mypy

check-layers: $(READY)
	.venv/bin/lint-imports

check-migrations: $(READY)
	.venv/bin/python -W ignore manage.py makemigrations --check --dry-run

check-walls: $(READY)
	.venv/bin/python -m devserver.wall_check

fix: $(READY) ## format, and repair what the linter can
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: $(READY) ## figures of this machine, next to the floor; ONLY=W1,LONE REPEATS=1
	@exec .venv/bin/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(REPEATS),--repeats $(REPEATS))

pairs: $(READY) ## what a change costs: this checkout and another, FOLDER=../before, a round of each in turn; ONLY=W1 ROUNDS=15
	@exec .venv/bin/python -m benchmarks.pairs $(FOLDER) $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS))

chaos: $(READY) ## parts broken under load: nothing is lost; ONLY=worker_killed SEED=1; ONLY=differential GRAPHS=1000; ONLY=neighbours ATTACK=mapping SECONDS=10
	@exec .venv/bin/python -m benchmarks.chaos $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY)) \
		$(if $(GRAPHS),--graphs $(GRAPHS)) $(if $(ATTACK),--attack $(ATTACK)) $(if $(SECONDS),--seconds $(SECONDS))

browser: $(READY) ## the inbox in Chromium, wide and on a phone; pictures are left in .data/browser
	@exec .venv/bin/python -m pytest -m browser $(if $(DATABASE_URL),-p no:xdist,-n 2 --dist loadfile) tests/browser

canvas: $(READY) ## the bundle of the reference canvas anew, from integrations/canvas; needs Node
	@cd integrations/canvas && npm ci --ignore-scripts && npm run build

pictures: $(READY) ## the pictures of docs/pictures anew, of a platform with the examples' data; needs Chromium
	@exec .venv/bin/python -m tests.browser.take_pictures

clients: $(READY) ## the API's description judged by redocly and spectral, fuzzed by Schemathesis; TypeScript and Python clients made of it drive a live stack
	@exec .venv/bin/python -m pytest -m slow -p no:xdist -rs tests/clients

COMPILE = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock"

lock: $(READY) ## renew requirements.txt and requirements-dev.txt from pyproject.toml
	$(COMPILE) --upgrade pyproject.toml --output-file requirements.txt
	$(COMPILE) --upgrade pyproject.toml --group dev --constraint requirements.txt --output-file requirements-dev.txt

$(REQUIREMENTS): requirements-dev.txt
	@for python in "$(PYTHON)" python3.11 python3 python; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found="$$python"; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "Python 3.11 or newer is needed; name it with make PYTHON=/path/to/python3.11" >&2; exit 1; fi; \
	echo "setting up .venv with $$found (one to three minutes)"; \
	"$$found" -m venv .venv
	@.venv/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements-dev.txt
	@touch $@

$(READY): $(REQUIREMENTS) pyproject.toml
	@.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
