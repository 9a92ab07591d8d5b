# One door to everything: `make up`, `make test`, `make check`. Nothing outside this folder and $ALLIAGE_HOME is written.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
unexport PYTHONDONTWRITEBYTECODE

.PHONY: compiled up down test coverage fuzz fuzz-gateway soak soak-gateway test-vllm check fmt bench bench-decide bench-gateway bench-heal bench-ledger bench-live bench-loop bench-rehearsal bench-rivals bench-route bench-shared bench-speed docs pin storm clean help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 18

$(VENV)/.run: requirements/run.txt pyproject.toml
	@echo "== installing Alliage into $(VENV) (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --only-binary=:all: -r requirements/run.txt
	$(PIP) install --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo "== installing what the checks and tests need"
	$(PIP) install --only-binary=:all: -r requirements/dev.txt
	@touch $@

compiled: $(VENV)/.run ## compile the gateway's data path for these sources, where there is a C compiler (`up` and `test` do)
	@$(BIN)/python scripts/compile.py || [ $$? -eq 3 ]

up: compiled ## start the cloud on this machine; Ctrl-C stops it (options: make up ARGS="--port 9000")
	@$(BIN)/alliage up $(ARGS)

down: ## stop the cloud of this home folder
	@$(BIN)/alliage down

check: $(VENV)/.dev ## lint, format, types, floors, dependencies, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry src
	$(BIN)/codespell

test: $(VENV)/.dev compiled ## all tests; those that need a real PostgreSQL install one first where they may
	@scripts/test-servers
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

coverage: $(VENV)/.dev ## `make test`, and which branches no test takes (slower: every process is traced)
	$(BIN)/coverage erase
	COVERAGE_PROCESS_START=$(CURDIR)/pyproject.toml $(MAKE) test
	@$(BIN)/coverage combine -q && $(BIN)/coverage report --skip-covered --sort=cover | tail -40

fuzz: $(VENV)/.dev ## the property tests of the decisions with twenty times as many examples (make fuzz TIMES=100)
	ALLIAGE_FUZZ=$(or $(TIMES),20) $(BIN)/python -m pytest --timeout 3600 $(or $(ARGS),tests/decide)

soak: $(VENV)/.dev ## the seeded fault simulation, seed after seed (make soak SEED=1 COUNT=100 STEPS=1000); a seed that fails is kept
	$(BIN)/python -m tests.simulation --seed $(or $(SEED),1) --count $(or $(COUNT),20) --steps $(or $(STEPS),1000) $(ARGS)

fuzz-gateway: $(VENV)/.dev ## the gateway's parsers and the admin API fed with what is wrong (make fuzz-gateway SECONDS=60 a target)
	$(BIN)/python -m tests.gateway.fuzz --seconds $(or $(SECONDS),60) $(ARGS)
	ALLIAGE_FUZZ=$(or $(TIMES),20) $(BIN)/python -m pytest --timeout 3600 tests/faces/test_admin_fuzz.py

soak-gateway: $(VENV)/.dev ## a gateway process under mixed load and abuse for 15 minutes (make soak-gateway SECONDS=180 SEED=2 ARGS=--tls)
	$(BIN)/python -m tests.gateway.soak --seconds $(or $(SECONDS),900) --seed $(or $(SEED),1) $(ARGS)

storm: $(VENV)/.dev ## requests on a cloud whose gateway and control are killed at random: is the ledger right (make storm REQUESTS=50000 SEED=1)
	$(BIN)/python -m tests.storm --seed $(or $(SEED),1) --requests $(or $(REQUESTS),50000) $(ARGS)

test-vllm: $(VENV)/.dev ## a real vLLM beside llama.cpp; installs it first into .venv-vllm (3 GB, not part of `make test`)
	@PYTHON=$(PYTHON) scripts/test-vllm $(ARGS)

fmt: $(VENV)/.dev ## format and fix what can be fixed
	$(BIN)/ruff check --fix-only --exit-zero .
	$(BIN)/ruff format .

bench: bench-gateway ## all benchmarks

bench-gateway: $(VENV)/.dev compiled ## the gateway against nginx and others (bench/README.md); bench-rivals installs the others
	@$(BIN)/python -m bench.gateway $(ARGS)

bench-decide: $(VENV)/.dev ## the decisions against published rivals (bench/README.md); ALLIAGE_TEST_DATA names the folder of traces
	@$(BIN)/python -m bench.decide $(ARGS)

bench-rivals: ## install what bench-gateway compares with: haproxy, nginx, vllm-router, LiteLLM (about 1 GB)
	@PYTHON=$(PYTHON) scripts/bench-rivals

bench-heal: $(VENV)/.dev ## a node with eight busy replicas dies under load, live (bench/README.md)
	$(BIN)/python -m bench.heal.run $(ARGS)

bench-ledger: $(VENV)/.dev ## what taking usage into the ledger costs, against plain inserts (bench/README.md)
	@$(BIN)/python -m bench.ledger.run $(ARGS)

bench-live: $(VENV)/.dev ## parts of two request traces through a whole rehearsed cloud, beside the same in replay (bench/README.md)
	@$(BIN)/python -m bench.live $(ARGS)

bench-loop: $(VENV)/.dev ## what a pass of the live loop costs on a large fleet (bench/README.md)
	@$(BIN)/python -m bench.loop.run $(ARGS)

bench-rehearsal: $(VENV)/.dev ## rehearsed engines against the pace they were asked for (bench/README.md)
	$(BIN)/python -m bench.rehearsal.run $(ARGS)

bench-route: $(VENV)/.dev ## routing of LLM requests against its rivals, in replay (bench/README.md); ALLIAGE_TEST_DATA as above
	@$(BIN)/python -m bench.route $(ARGS)

bench-shared: $(VENV)/.dev ## ten models on one fleet by the real loop, against a pool for each, in replay (bench/README.md)
	@$(BIN)/python -m bench.shared $(ARGS)

docs: $(VENV)/.run ## write the generated pages of docs/ from the catalogue
	$(BIN)/python scripts/catalog_pages.py

bench-speed: $(VENV)/.dev ## the speed model against published measurements (bench/README.md)
	$(BIN)/python -m bench.speed $(ARGS)

pin: ## make requirements/*.txt again from pyproject.toml
	$(PYTHON) scripts/pin.py

clean: ## remove everything that make made
	rm -rf $(VENV) .venv-vllm .venv-vllm-router .venv-litellm .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* build dist bench/out
