# What a person types. Needs Node >= 20.19, npm and make; `make tools` brings what the rest needs.
.DEFAULT_GOAL := help
.PHONY: help install build run generate lint test tools test-all test-nodes test-nightly conformance attacks soak bench clean
.DELETE_ON_ERROR:

BIN := node_modules/.bin
# For tools/test.mjs, which says what there is; .ci/run sets it.
TEST_FLAGS ?=
# npm writes this file at the end of each install: older than the lock file means the install is stale.
INSTALLED := node_modules/.package-lock.json

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## install the npm packages, if they are missing or stale

$(INSTALLED): package-lock.json package.json
	@node tools/check-node.mjs
	npm ci --ignore-scripts
	@touch $@

build: install ## compile into dist/
	@node tools/prune.mjs
	$(BIN)/tsc -b src

run: build ## serve the sample services on 127.0.0.1:8080, admin on 127.0.0.1:9901
	@exec node dist/main.js demo

generate: install ## make generated/ anew from proto/
	rm -rf generated/*/
	$(BIN)/buf lint
	$(BIN)/buf generate
	$(BIN)/buf build --as-file-descriptor-set $(foreach d,$(wildcard proto/*),--path $(d)) \
	  --path node_modules/google-proto-files/google/rpc/code.proto \
	  --path node_modules/google-proto-files/google/rpc/error_details.proto \
	  --path node_modules/grpc-health-check/proto/health -o generated/image.binpb
	node tools/write-image.mjs

lint: install ## check format and style
	$(BIN)/biome check --error-on-warnings .
	@node tools/check-expressions.mjs
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code proto

# Everything compiled; what lost its source goes first, so that no deleted test runs.
compiled: install
	@node tools/prune.mjs
	$(BIN)/tsc -b
.PHONY: compiled

test: compiled lint ## lint, and run the tests that need npm packages only
	node tools/test.mjs $(TEST_FLAGS)

tools: install ## install the real servers and clients that test-all and bench use (Debian, Python, Go)
	tools/install.sh

test-all: compiled lint ## lint, and run the long tests, those beside real foreign servers and clients, and on each Node
	FUZZ_INPUTS=20000 FUZZ_RUNS=1000 node tools/test.mjs --all $(TEST_FLAGS)
	$(MAKE) test-nodes

test-nodes: compiled ## run on Node 22 and 24, from make tools, what depends on the version (ARGS="e2e/" for a part)
	$(call on-each-node,--node-only $(ARGS))

test-nightly: compiled lint ## before a release: test-all, the long tests too, and all of them on each Node
	tools/install.sh --nightly
	FUZZ_INPUTS=60000 FUZZ_RUNS=5000 node tools/test.mjs --nightly $(TEST_FLAGS)
	$(call on-each-node,--long)

# $(call on-each-node,ARGUMENTS of tools/test.mjs)
define on-each-node
	@for node in node22 node24; do \
	  [ -x .tools/$$node/bin/node ] || { echo "Node is missing in .tools/$$node: run make tools"; exit 1; }; \
	  PATH="$$PWD/.tools/$$node/bin:$$PATH" sh -c 'echo "Node $$(node --version)" && node tools/test.mjs $(TEST_FLAGS) $(1)' || exit 1; \
	done
endef

conformance: compiled ## h2spec and gRPC's interop cases through the hub, with what make tools brings
	node build/test/conformance/main.js

bench: compiled ## CPU per call of the hub beside its peers; see bench/README.md (ARGS="--rounds 3 --only haproxy", ARGS=--schemas)
	node build/bench/main.js $(ARGS)
	$(if $(ARGS),,node --expose-gc build/bench/micro/balancers.js && node build/bench/balancers.js)

soak: compiled ## fuzz with a million inputs and a million requests, then 200 faults of chaos, some fifty minutes (ARGS="--inputs 100000 --seed 7 --only HPACK", "--only chaos")
	node build/test/fuzz/soak.js $(ARGS)

attacks: compiled ## attack a hub in every way of docs/security.md, and print the bounds that held (ARGS="PART-OF-A-NAME")
	node build/test/e2e/support/attacks.js $(ARGS)

clean: ## remove what was compiled
	rm -rf dist build
