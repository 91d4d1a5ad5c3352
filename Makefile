PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: run install test test-browser test-slow check audit sbom bench bench-stats bench-routers bench-retrieval bench-retrieval-latency bench-upgrade soak demo docs clean

run: $(INSTALLED)  ## Install what is missing and run everything; Ctrl-C stops it
	$(BIN)/python manage.py serve

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[embedded,embedders,dev]'
	touch $(INSTALLED)

test: $(INSTALLED)  ## The quick tests, in as many processes as there are cores, at most four
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-browser: $(INSTALLED)  ## Only those in a real browser; they skip where there is no Chromium
	$(BIN)/python -m pytest -m browser -n auto --maxprocesses 4 --dist loadfile

test-slow: $(INSTALLED)  ## Only the slow ones, in two processes; one has all that break things
	$(BIN)/python -m pytest -m slow -n 2 --dist loadgroup

check: $(INSTALLED) audit  ## Lint, types, import rules, migrations that old processes can bear, known faults
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -n 0 tests/shadoweval/test_migrations.py

audit: $(INSTALLED)  ## Known faults of the pinned packages; says so and goes on where no index answers
	@$(BIN)/python -m shadoweval.auditing constraints.txt

sbom: $(INSTALLED)  ## Write sbom.json, a CycloneDX list of everything that is installed
	$(PYTHON) -m venv .venv-sbom
	.venv-sbom/bin/python -m pip install --quiet cyclonedx-bom==7.5.0
	.venv-sbom/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-reproducible -o sbom.json

bench: $(INSTALLED)  ## What one request costs, by router, shadow off and on; ten minutes or more
	$(BIN)/python -m benchmarks.hot_path $(BENCH)

bench-stats: $(INSTALLED)  ## What a certificate costs, and what it is worth on recorded answers
	$(BIN)/python -m benchmarks.stats $(BENCH)

bench-routers: $(INSTALLED)  ## Which router is best on recorded answers, with intervals; ten minutes
	$(BIN)/python -m benchmarks.routers $(BENCH)

bench-retrieval-latency: $(INSTALLED)  ## What looking up adds at 100,000 chunks, and how fast they are indexed
	$(BIN)/python -m benchmarks.retrieval_latency $(BENCH)

bench-retrieval: $(INSTALLED)  ## Which way to retrieve is best on judged queries; ten minutes
	$(BIN)/python -m benchmarks.retrieval $(BENCH)

bench-upgrade: $(INSTALLED)  ## Upgrade the first release's database with 100,000 rows while it serves
	$(BIN)/python -m benchmarks.migrate_under_load $(BENCH)

soak: $(INSTALLED)  ## Five minutes at 80 % of the limit: fails when memory grows or anything is lost
	$(BIN)/python -m benchmarks.soak $(SOAK)

docs: $(INSTALLED)  ## Build the documentation into var/docs; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

demo: $(INSTALLED)  ## Load content to look at, while it runs
	$(BIN)/python manage.py demo

clean:  ## Remove the virtual environment; data in var/ stays
	rm -rf .venv
