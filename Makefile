# DeepSeekServe. `make help` lists the targets; README.md says which two a newcomer needs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CACHE := $(or $(DSS_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/deepseekserve)
PYTHON ?= python3
# One virtual environment per content of the pinned requirements, outside the checkout: every clone shares it.
VENV := $(CACHE)/venv-$(shell cat requirements/dev.txt | sha256sum | cut -c1-12)
RUN := $(VENV)/bin
PYTEST := $(RUN)/python -m pytest
export PYTHONPATH := operator/src:.

PURE := api catalog crd revision names settings quantity engine render sizing fits facts diagnose status
comma := ,
empty :=
PURE_FILES := $(subst $(empty) ,$(comma),$(strip $(foreach m,$(PURE),*/deepseekserve/$(m).py */deepseekserve/$(m)/*.py)))

##@ Start here
.PHONY: help demo test
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: prerequisites venv ## From a bare machine to a chat with a served model, and a failure explained
	@$(RUN)/python -m tests.demo

test: prerequisites ## Everything: lint, types, contracts, unit, golden, logs, chart, integration, end to end
	@$(MAKE) -j3 tools images lint types contracts
	@$(MAKE) -j2 light patient
	@$(MAKE) -j3 --output-sync=target operator agent resource
	@$(MAKE) engines

patient: venv tools                     # no deadlines: they leave the processor to what runs beside them
	@nice -n 10 $(MAKE) -j2 --output-sync=target coverage logs chart

##@ The inner loop (below a minute)
.PHONY: check lint types contracts unit logs
check: venv ## Lint, types, contracts, unit tests and real logs, side by side
	@$(MAKE) -j2 --output-sync=target unit logs lint types contracts

lint: venv ## ruff
	@$(RUN)/ruff check .

types: venv ## mypy --strict
	@$(RUN)/mypy

contracts: venv ## import-linter: who may import whom
	@$(RUN)/lint-imports --no-logo 2>/dev/null || $(RUN)/lint-imports

unit: venv ## Fast tests of every decision
	@$(PYTEST) -q tests/unit

logs: venv ## Real engine logs through the diagnosis
	@$(PYTEST) -q tests/logs

##@ Against real processes, a real API server and a real cluster
OPERATOR := $(patsubst tests/integration/%.py,%,$(wildcard tests/integration/test_operator_*.py))
# Recorded engines and pods that never start take little CPU: they run beside other tests.
LIGHT := tests/e2e/test_replays.py tests/e2e/test_kubernetes.py
# They wait until no other run uses the operator, so they come last.
ALONE := tests/e2e/test_chart.py tests/e2e/test_upgrade.py tests/e2e/test_cluster_leaves_nothing.py
E2E := $(PYTEST) --durations=25 --timeout=1500
.PHONY: coverage agent integration operator $(OPERATOR) resource chart patient e2e engines light
coverage: venv ## The unit tests again, and the pure core at 100 % of branches
	@$(RUN)/coverage run -m pytest -q tests/unit
	@$(RUN)/coverage report --include='$(PURE_FILES)' --fail-under=100 --skip-covered

agent: venv ## The agent with real processes: probes, stalls, floods, signals, drains
	@$(PYTEST) -q tests/agent

integration: operator resource ## Operator, CRD and goldens against kube-apiserver and etcd

operator: $(OPERATOR) ## The half of the integration tests that is about the operator's process

$(OPERATOR): venv tools
	@$(PYTEST) tests/integration/$@.py

resource: venv tools ## The other half: CRD, fields, hostile specs, goldens
	@$(PYTEST) $(filter-out tests/integration/test_operator_%,$(wildcard tests/integration/test_*.py))

chart: venv tools ## The Helm chart and the examples against helm, kube-apiserver and etcd
	@$(PYTEST) tests/chart

e2e: venv tools images ## The whole chain on a real cluster with the real vLLM (PROVIDER=auto|local|kind)
	@$(MAKE) -j2 light engines

engines:
	@$(E2E) $(filter-out $(LIGHT) $(ALONE),$(wildcard tests/e2e/test_*.py)) $(ALONE)

light:                                  # its output as one piece, so that the dots of the other run stay readable
	@out=$$(mktemp); code=0; $(E2E) $(LIGHT) > $$out 2>&1 || code=$$?; cat $$out; rm $$out; exit $$code

##@ For long (no part of test)
.PHONY: soak soak-busy soak-quiet bench
soak: venv tools images ## Kills, outages, errors and hands in bulk; writes docs/soak.md (the scenario with a node needs root)
	@$(MAKE) -j2 soak-busy soak-quiet

soak-busy:
	@$(PYTEST) tests/soak --deselect tests/soak/test_quiet.py --soak-report=docs/soak.md

soak-quiet:                             # beside the others: it watches for half an hour that nothing happens
	@$(PYTEST) tests/soak/test_quiet.py --soak-report=docs/soak.md

bench: venv tools ## A quarter of an hour on an idle machine; writes docs/performance.json and the tables of docs/performance.md
	@$(RUN)/python -m tests.bench

##@ Build
.PHONY: crds handbook quantization sizing tools images requirements
crds: venv ## Write crds/, the chart's copy and docs/reference.md from api.py
	@$(RUN)/python -m deepseekserve.crd --write .

handbook: venv ## Write docs/diagnosis.md, from the diagnosis itself, and the table of docs/starts.md, from the logs
	@$(RUN)/python -m tests.handbook
	@$(RUN)/python -m tests.logs.expectations

sizing: venv ## Write the tables of docs/sizing.md: predictions beside what real logs report
	@$(RUN)/python -m tests.sizing

quantization: venv ## Write catalog/quantization.json and values.json from the classes of the vLLM in the engine's image
	@$(RUN)/python -m tests.quantization

tools: ## Build Kubernetes, CoreDNS and Helm from Go modules into the cache
	@$(PYTHON) -m tests.cluster tools

images: ## Build the images of the operator, the CPU engine and the replayed logs into the cache
	@$(PYTHON) -m tests.images build all

requirements: venv ## Pin the Python dependencies again, with hashes
	@for f in operator dev; do $(RUN)/uv pip compile -q --upgrade --generate-hashes --universal --python-version 3.11 \
	  --no-emit-index-url --no-annotate --no-header requirements/$$f.in -o requirements/$$f.txt; done

##@ The test cluster
.PHONY: up down
up: tools ## Start it (5 s once built)
	@$(PYTHON) -m tests.cluster up

down: ## End it; nothing is left
	@$(PYTHON) -m tests.cluster down

.PHONY: prerequisites venv python
python: venv
	@echo $(RUN)/python

prerequisites:
	@$(PYTHON) -m tests.prerequisites

venv: $(VENV)/.complete
$(VENV)/.complete: requirements/dev.txt
	@mkdir -p $(CACHE)
	@exec 9>$(CACHE)/venv.lock; flock 9; test -e $@ || { \
	  echo "installing the pinned Python tools into $(VENV)"; rm -rf $(VENV); \
	  $(PYTHON) -m venv $(VENV) && $(RUN)/pip install -q --require-hashes -r requirements/dev.txt && touch $@; }
