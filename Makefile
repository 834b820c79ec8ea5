# Targets are verbs; `make` alone lists them.
GO     ?= go
BUILD  := build
TOOLS  := $(BUILD)/tools
DEMO   := $(BUILD)/demo
DEMO_FLAGS := --namespace shop --tsdb $(DEMO)/tsdb -f $(DEMO)/manifests --until 2026-02-02T00:00:00Z

# The race detector needs a C compiler. Without one the tests run all the same, and say so.
HAVE_CC := $(shell command -v $${CC:-cc} >/dev/null 2>&1 && echo yes)
ifeq ($(HAVE_CC),yes)
TEST_ENV   := CGO_ENABLED=1
RACE       := -race
else
TEST_ENV   := CGO_ENABLED=0
RACE       :=
endif

# testdata is no part of ./... for Go, so its packages are named.
TESTDATA := $(sort $(dir $(wildcard ./testdata/*/*.go)))
PACKAGES := ./... $(TESTDATA)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

.PHONY: build
build: ## build build/rightsize, a static binary
	@mkdir -p $(BUILD)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o $(BUILD)/rightsize ./cmd/rightsize

.PHONY: demo
demo: build ## generate a week of a small shop and print its report
	@$(GO) run ./testdata/demo --out $(DEMO)
	$(BUILD)/rightsize $(DEMO_FLAGS)

.PHONY: pictures
pictures: build ## take the pictures of the documents from the demo, with Chromium
	@$(GO) run ./testdata/demo --out $(DEMO)
	$(BUILD)/rightsize $(DEMO_FLAGS) -o html >$(BUILD)/report.html
	script -qec 'stty cols 140; $(BUILD)/rightsize $(DEMO_FLAGS) 2>/dev/null' /dev/null >$(BUILD)/terminal.txt
	script -qec 'stty cols 120; $(BUILD)/rightsize explain deployment/api $(DEMO_FLAGS) 2>/dev/null' /dev/null >$(BUILD)/explain.txt
	$(GO) run -C browser ./pictures -page $(abspath $(BUILD))/report.html \
		-serve '$(abspath $(BUILD))/rightsize serve $(subst $(DEMO),$(abspath $(DEMO)),$(DEMO_FLAGS))' -dir $(abspath docs/pictures) $(abspath $(BUILD))/terminal.txt $(abspath $(BUILD))/explain.txt

.PHONY: browser
browser: ## look at the report's page and the served pages in a real browser (Debian's chromium)
	@command -v chromium >/dev/null || { echo "make browser needs Chromium: apt-get install chromium" >&2; exit 1; }
	$(GO) test -C browser -count=1 -timeout 20m -v ./...

.PHONY: test
test: ## run all tests, with the race detector where there is a C compiler
ifneq ($(HAVE_CC),yes)
	@echo "no C compiler (cc): the tests run without the race detector"
endif
	$(TEST_ENV) $(GO) test $(RACE) -timeout 40m ./...
	$(GO) test -timeout 20m $(TESTDATA) # starts no goroutine, and is a minute slower with the detector

.PHONY: peers
peers: ## hold the policies of others against their own code (backtest/peers, a module of its own)
	$(GO) test -C backtest/peers -timeout 20m ./...

.PHONY: chart
chart: ## hold the Helm chart, the alerts and the dashboard against Helm and promtool (deploy/check, a module of its own)
	$(GO) test -C deploy/check -timeout 20m ./...

.PHONY: backtest
backtest: build ## hold recommendations against the traces (*.csv.gz) of the folder TRACES
	@ls $(or $(TRACES),$(error give the folder of the traces: make backtest TRACES=DIR))/*.csv.gz >/dev/null
	$(BUILD)/rightsize backtest $(addprefix --trace ,$(sort $(wildcard $(TRACES)/*.csv.gz)))

.PHONY: golden
golden: ## write the expected output of tests anew, to be read in the diff
	UPDATE=1 $(GO) test ./cmd/... ./policy/... ./report/... ./patch/... ./notify/... ./backtest/... ./explain/...

.PHONY: fuzz
fuzz: ## fuzz each target for FUZZTIME (10s)
	@for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(or $(FUZZTIME),10s) $$package || exit 1; \
		done; \
	done

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## vet, lint and look for dead code
	$(GO) vet $(PACKAGES)
	$(TOOLS)/golangci-lint run $(PACKAGES)
	cd e2e && $(abspath $(TOOLS))/golangci-lint run --config ../.golangci.yml ./...
	cd backtest/peers && $(abspath $(TOOLS))/golangci-lint run --config ../../.golangci.yml ./...
	cd browser && $(abspath $(TOOLS))/golangci-lint run --config ../.golangci.yml ./...
	cd deploy/check && $(abspath $(TOOLS))/golangci-lint run --config ../../.golangci.yml ./...
	@dead=$$($(TOOLS)/deadcode -test $(PACKAGES)); [ -z "$$dead" ] || { echo "$$dead"; exit 1; }
	@$(GO) mod tidy -diff
	@$(GO) mod tidy -C e2e -diff
	@$(GO) mod tidy -C backtest/peers -diff
	@$(GO) mod tidy -C browser -diff
	@$(GO) mod tidy -C deploy/check -diff

.PHONY: e2e
e2e: ## run the tool against a real cluster and real Prometheus servers
	$(GO) test -C e2e -count=1 -timeout 60m -v .

.PHONY: bench
bench: ## measure reading a week of 300 and 3,000 containers from a real Prometheus
	$(GO) run -C e2e ./bench

.PHONY: bench-large
bench-large: ## the same of 3,000 and 10,000 containers
	$(GO) run -C e2e ./bench --containers 3000,10002 --rounds 3 --budget 10m

$(TOOLS)/golangci-lint: tools/go.mod tools/go.sum
	@mkdir -p $(TOOLS)
	$(GO) build -C tools -o $(abspath $(TOOLS))/ tool
	@touch $@
