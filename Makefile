# Yidai: every command that a newcomer needs. `make` prints this list.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export YIDAI_HOME ?= $(CURDIR)/.yidai
export NUMBA_CACHE_DIR ?= $(CURDIR)/.venv/numba
export OMP_NUM_THREADS ?= 2
JAVA_INSTALL = apt-get update -q && { apt-get install -y -q openjdk-17-jre-headless || apt-get install -y -q default-jre-headless; }
BROWSER_INSTALL = apt-get update -q && apt-get install -y -q chromium fonts-noto-cjk

.PHONY: help browser pictures setup demo test coverage campaign campaign-slice check lint audit format serve mlflow peers learner-peers serving-peers spark bench lock clean

help:  ## print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: .venv/ready  ## make .venv from the hashed locks and compile the kernel
.venv/ready: requirements/tools.txt requirements/dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "installing python3-venv"; apt-get install -y -q python3-venv || sudo apt-get install -y -q python3-venv; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing the locked dependencies (about 1.3 GB) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/tools.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes --link-mode copy -r requirements/dev.txt || $(BIN)/python -m pip install -q --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e . || $(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q features training serving $(BIN)/../lib/python*/site-packages 2>/dev/null || true
	@$(BIN)/python -c "import features.kernel, training.lookup, training.trees"
	@touch $@

demo: setup  ## a city, its models, a served decision, its replay: the whole path in minutes
	@$(BIN)/yidai demo

test: setup  ## the tests (at most 10 minutes on 2 cores)
	@$(BIN)/python -m pytest -m "not campaign" -n 2 --dist loadfile

coverage: setup  ## the tests with branch coverage, which takes twice as long
	@$(BIN)/python -m pytest -m "not campaign" -n 2 --dist loadfile --cov --cov-report=term:skip-covered

browser: setup .venv/browser-ready  ## Debian's Chromium and Chinese fonts, for the tests of the console
.venv/browser-ready:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { echo "installing chromium"; $(BROWSER_INSTALL) || sudo $(SHELL) -c '$(BROWSER_INSTALL)'; }
	@touch $@

pictures: browser  ## draw the pictures of the docs anew, in a real browser
	@YIDAI_PICTURES=1 $(BIN)/python -m pytest -q tests/browser -m campaign

campaign: setup browser  ## the long runs: everything marked campaign, and property tests on new cases
	@$(BIN)/python -m pytest -m campaign --timeout 3000
	@$(BIN)/python -m pytest -m "hypothesis and not campaign" --hypothesis-profile new -n 2 --dist loadfile

campaign-slice: setup  ## a short slice of the long runs, as CI takes it
	@$(MAKE) --no-print-directory browser || echo "no Chromium could be installed: the tests in a browser are left out"
	@YIDAI_CAMPAIGN=slice $(BIN)/python -m pytest -m campaign --timeout 900 -n 2 --dist loadfile

lint: setup  ## ruff, mypy strict, import layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

audit: setup  ## ask the advisories about every locked package; needs the network, and ends with 1 on a finding
	@failed=0; for lock in requirements/*.txt; do echo "$$lock"; $(BIN)/pip-audit --require-hashes --no-deps --disable-pip --progress-spinner off -r $$lock || failed=1; done; exit $$failed

check: lint test  ## lint, then test

format:  ## put the code into its form
	@$(BIN)/ruff check --fix-only -q . && $(BIN)/ruff format -q .

serve: setup  ## the decision API on http://127.0.0.1:8100, the console on http://127.0.0.1:8200, and a worker
	@if test -z "$${YIDAI_AS_OF+set}" && test -f "$$YIDAI_HOME/demo/as_of"; then \
	  export YIDAI_AS_OF="$$(cat "$$YIDAI_HOME/demo/as_of")"; echo "the sample city as of $$YIDAI_AS_OF; YIDAI_AS_OF= make serve stands on today"; fi; \
	trap 'kill $$(jobs -p) 2>/dev/null' EXIT; $(BIN)/yidai worker & $(BIN)/yidai console & $(BIN)/yidai serve

mlflow: setup  ## the MLflow server of the analysts on http://127.0.0.1:5100
	@$(BIN)/yidai mlflow

peers: setup .venv-peers/ready  ## the peers of the feature and policy benchmarks, in an environment of their own
.venv-peers/ready: requirements/feature-peers.txt
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	@$(BIN)/uv pip install -q --python .venv-peers/bin/python --require-hashes --link-mode copy -r requirements/feature-peers.txt
	@touch $@

learner-peers: setup .venv-learners/ready  ## optbinning and EBM, in an environment of their own: `python -m benchmarks.portfolios`
.venv-learners/ready: requirements/learner-peers.txt
	@test -x .venv-learners/bin/python || $(PYTHON) -m venv .venv-learners
	@$(BIN)/uv pip install -q --python .venv-learners/bin/python --require-hashes --link-mode copy -r requirements/learner-peers.txt
	@touch $@

serving-peers: setup .venv-serving/ready  ## BentoML, in an environment of its own: `python -m benchmarks.serve --peers`
.venv-serving/ready: requirements/serving-peers.txt
	@test -x .venv-serving/bin/python || $(PYTHON) -m venv .venv-serving
	@$(BIN)/uv pip install -q --python .venv-serving/bin/python --require-hashes --link-mode copy -r requirements/serving-peers.txt
	@touch $@

spark: setup .venv/spark-ready  ## pyspark and, where there is none, a Java runtime: `yidai features build --engine spark`
.venv/spark-ready: requirements/spark.txt
	@command -v java >/dev/null || { echo "installing openjdk-17-jre-headless (or what Debian has for it)"; $(JAVA_INSTALL) || sudo $(SHELL) -c '$(JAVA_INSTALL)'; }
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes --link-mode copy -r requirements/spark.txt
	@touch $@

bench: setup  ## the benchmarks, in their quick form; those beside peers where `make peers` was run
	@for name in serve score policy portfolios lift withheld rejects counterfactuals ingest city_scale identity features_online book alert_latency warning console; do $(BIN)/python -m benchmarks.$$name --quick; done
	@if test -f .venv-peers/ready; then $(BIN)/python -m benchmarks.features_vs_peers --quick; else echo "features_vs_peers: run make peers first"; fi

lock:  ## compile the locks anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal -q -o requirements/run.txt
	@$(BIN)/uv pip compile pyproject.toml --extra dev -c requirements/run.txt --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal -q -o requirements/dev.txt
	@$(BIN)/uv pip compile requirements/learner-peers.in --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal -q -o requirements/learner-peers.txt
	@$(BIN)/uv pip compile requirements/feature-peers.in --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal -q -o requirements/feature-peers.txt
	@$(BIN)/uv pip compile requirements/serving-peers.in --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal -q -o requirements/serving-peers.txt
	@$(BIN)/uv pip compile requirements/spark.in -c requirements/run.txt --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal -q -o requirements/spark.txt

clean:  ## stop the embedded database and remove what the demo made (keeps .venv)
	@test ! -x $(BIN)/yidai || $(BIN)/yidai stop
	@rm -rf .yidai build *.egg-info
