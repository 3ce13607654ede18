# Two commands do everything on a fresh machine: `make demo` and `make test`.
# They need python3 (3.11 or later), pip and make; the rest is bootstrapped into .uv/ and .venv/.

PYTHON ?= python3
UV := .uv/bin/uv
BIN := .venv/bin
READY := .venv/.ready
JOBS ?= 2

# What is imported is compiled once and kept, also where the surroundings ask for the opposite.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint format slow faults spark bench docs lock wheel clean

demo: $(READY)  ## simulate a shop, train, score, and serve its page until Ctrl-C (30 minutes at most)
	@$(BIN)/churnguard demo

test: $(READY)  ## all tests but the slow ones
	@$(BIN)/pytest -q -n $(JOBS) --dist loadfile

slow: $(READY)  ## the slow tests as well
	@$(BIN)/pytest -q -n $(JOBS) --dist loadfile --run-slow

faults: $(READY)  ## kills, full disks, broken networks: half an hour and more
	@$(BIN)/pytest -q tests/faults --run-chaos

spark: $(READY) .spark  ## the tests that need Spark: Java 17 or later, and 480 MB in .spark/
	@PYTHONPATH=.spark $(BIN)/pytest -q -m spark

lint: $(READY)  ## style, types, floors, and a lock file that fits pyproject.toml
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python .ci/check_lock.py $(UV)

format: $(READY)  ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY)  ## every benchmark that docs/ quotes
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: $(READY)  ## write the generated pages of docs/ anew
	@$(BIN)/python docs/generate.py
	@$(BIN)/python docs/run_notebook.py

lock: $(UV)  ## resolve the newest versions that pyproject.toml admits
	@$(BIN)/python .ci/check_lock.py $(UV) --upgrade

wheel: $(READY)  ## build the wheel into dist/
	@$(BIN)/python -m hatchling build --target wheel --directory dist

clean:  ## remove what the targets made
	@rm -rf .venv .uv .spark .demo dist build

$(UV): .ci/uv.lock
	@echo "getting uv ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "ChurnGuard needs Python 3.11 or later; name one with make PYTHON=python3.12"; exit 1; }
	@rm -rf .uv
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-warn-script-location --root-user-action=ignore \
		--target .uv --require-hashes -r .ci/uv.lock
	@touch $@

.spark: .ci/spark.lock $(READY)
	@echo "getting Spark ..."
	@rm -rf $@
	@$(UV) pip install --quiet --python $(BIN)/python --target $@ --require-hashes -r .ci/spark.lock
	@touch $@

$(READY): $(UV) requirements.lock pyproject.toml
	@echo "installing the locked environment ..."
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@$(BIN)/python -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' \
		|| { echo "LightGBM needs libgomp: apt-get install libgomp1"; exit 1; }
	@touch $@
