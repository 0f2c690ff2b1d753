# What people type. `make` or `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# Tests and demo look for the plugins here, whatever a developer's own settings say.
export CARGO_TARGET_DIR := $(CURDIR)/target

WASM := wasm32-wasip2
# Each is a crate that becomes a component: the first-party plugins, and what attacks the host in tests.
PLUGINS := blue-green canary http-smoke prometheus rolling signed-webhook-smoke slack-approval slack-notify suite tls-smoke webhook-approval webhook-notify
FIXTURES := hostile hostile-approver hostile-measurer hostile-strategist
COMPONENTS := $(PLUGINS:%=-p %) $(FIXTURES:%=-p %)

.PHONY: help
help: ## Show this list
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: plugins ## Play the story on a simulated cluster; AUTO=1 lets it approve by itself
	cargo build --workspace $(FIXTURES:%=--exclude %)
	AUTO=$(AUTO) target/debug/sluice-demo

.PHONY: test
test: plugins ## Run every test (single crashes; their ordered pairs: make soak)
	cargo test --workspace

.PHONY: soak
soak: ## Every pair of crashes, a million histories of the policy, an hour of fuzzing; SOAK_SECONDS=n ends each early
	cargo build --workspace $(FIXTURES:%=--exclude %)
	target/debug/soak
	target/debug/reference-soak
	target/debug/plugin-fuzz

.PHONY: attacks
attacks: plugins ## Play the 24 attacks on the plugin host, print how each ends and what others notice
	cargo test -p sluice-plugins --test attacks -- --nocapture

.PHONY: bench
bench: plugins ## Measure the plugin host beside wasmtime alone; figures with their targets
	cargo run --release -p sluice-bench -- --bench

.PHONY: languages
languages: wasm-target ## Build and play the examples in Rust, JavaScript and Python; components to target/languages
	cargo build -p sluice -p sluice-languages
	target/debug/languages

.PHONY: plugins
plugins: wasm-target ## Build the plugins, and the tests' hostile one, to target/wasm32-wasip2/plugin
	cargo build --target $(WASM) --profile plugin $(COMPONENTS)

# What the image is called, without tag: name the registry that it is pushed to.
IMAGE ?= sluice.dev/sluice
IMAGE_SOURCE ?=

.PHONY: e2e
e2e: image ## Play everything on a real cluster: one of our own, or that of KUBECONFIG; ONLY=names, GATEWAY=1
	cargo build -p sluice-cluster-bed -p sluice-e2e -p sluice-sample
	target/debug/sluice-e2e $(if $(ONLY),--only $(ONLY)) $(if $(GATEWAY),--gateway)

.PHONY: cluster
cluster: ## Start a real cluster on this machine, to look at; Ctrl-C ends it
	cargo build -p sluice-cluster-bed
	target/debug/cluster up --level 2

.PHONY: image
image: plugins ## Write the container image to target/image; IMAGE=name, without tag
	cargo build --release -p sluice
	cargo build -p sluice-image
	@mkdir -p target/image
	@version=$$(cargo pkgid -p sluice | sed 's/.*[#@]//'); \
	target/debug/sluice-image write --name "$(IMAGE):$$version" --program target/release/sluice \
	  $(foreach p,$(subst -,_,$(PLUGINS)),--file target/$(WASM)/plugin/$(p).wasm=/usr/share/sluice/plugins/$(p).wasm) \
	  --label org.opencontainers.image.title=sluice \
	  --label "org.opencontainers.image.version=$$version" \
	  --label "org.opencontainers.image.revision=$$(git rev-parse HEAD)" \
	  --label "org.opencontainers.image.source=$(IMAGE_SOURCE)" \
	  --label org.opencontainers.image.licenses=Apache-2.0 \
	  --created "$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)}" \
	  --out "target/image/sluice-$$version.oci.tar"

.PHONY: lint
lint: wasm-target ## Check format and lints, natively and for wasm
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --target $(WASM) --profile plugin $(COMPONENTS) -- -D warnings

.PHONY: fmt
fmt: ## Format the code
	cargo fmt --all

# A toolchain that was there before does not get its targets from rust-toolchain.toml.
.PHONY: wasm-target
wasm-target:
	@test -d "$$(rustc --print sysroot)/lib/rustlib/$(WASM)" || rustup target add $(WASM)
