# `make demo` and `make test` are all that a new user needs: each makes .venv on its first run.

PYTHONS := python3.13 python3.12 python3.11 python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check bench bench-name install

demo: $(READY)
	$(BIN)/rmqnet demo demo

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -q

check: $(READY)
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/codespell

BENCHMARKS := $(patsubst benchmarks/%.py,%,$(wildcard benchmarks/[a-z]*.py))

bench: bench-name $(READY)
	@$(BIN)/python benchmarks/$(ONLY).py

bench-name:
	@test -n "$(ONLY)" || { echo "name a benchmark: make bench ONLY=<name>, one of: $(BENCHMARKS)"; exit 2; }
	@test -f "benchmarks/$(ONLY).py" || { echo "there is no benchmark $(ONLY), only: $(BENCHMARKS)"; exit 2; }

install: $(READY)

$(READY): pyproject.toml constraints.txt
	@sh scripts/make-venv.sh $(VENV) $(PYTHONS)
