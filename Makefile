# Each target works from a fresh checkout with Python 3.11 and make. ARGS is passed on: make demo ARGS="--fresh".

.DEFAULT_GOAL := help
.SILENT:
.PHONY: help demo test check bench pin reference messages pictures new-connector clean

ARGS ?=
BIN := .venv/bin

help:
	echo "make demo        a hub with a simulated shop; ARGS=\"--fresh\" starts over, ARGS=\"--once --json\" does one round"
	echo "make test        all tests; ARGS=tests/commerce runs some"
	echo "make check       format, lint, types, who may import whom, models against migrations, docs"
	echo "make bench       measurements; ARGS=intake runs one"
	echo "make pin         resolve requirements/*.txt again from pyproject.toml"
	echo "make reference   write docs/reference again from the code"
	echo "make messages    collect the texts of the pages into src/comptoir/locale; ARGS=fr does one language"
	echo "make pictures    take the pictures of the docs again, in a browser"
	echo "make new-connector NAME=acme   a connector to start from: source, simulator and tests that pass"
	echo "make clean       remove the environment and caches"

demo:
	scripts/environment run
	$(BIN)/comptoir demo $(ARGS)

test:
	scripts/environment dev
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check:
	scripts/environment dev
	$(BIN)/python scripts/check.py $(ARGS)

bench:
	scripts/environment dev
	$(BIN)/python -m benchmarks $(ARGS)

reference:
	scripts/environment dev
	$(BIN)/python scripts/reference.py

messages:
	scripts/environment dev
	$(BIN)/python scripts/messages.py $(ARGS)

pictures:
	scripts/environment dev
	COMPTOIR_TEST_BROWSER=required COMPTOIR_TEST_DOCS_PICTURES=docs/images $(BIN)/pytest tests/browser/test_pictures.py -q $(ARGS)

new-connector:
	scripts/environment dev
	$(BIN)/python scripts/new_connector.py $(NAME)
	$(BIN)/python scripts/reference.py

# Names, versions and hashes only: a resolver's own lock file can hold addresses of mirrors.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header
pin:
	scripts/environment dev
	$(COMPILE) $(ARGS) pyproject.toml --group build -o requirements/run.txt
	$(COMPILE) $(ARGS) pyproject.toml --group build --group dev -c requirements/run.txt -o requirements/dev.txt
	echo "Wrote requirements/run.txt and requirements/dev.txt."

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find src tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
