# depositd. `make demo` shows it, `make test` checks it; `make help` lists the rest.

GO       ?= go
TAGS     := -tags nomsgpack
BIN      := bin/depositd
VERSION  := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
FUZZTIME ?= 30s

LINT_VERSION := v2.15.0
LINT         := .bin/golangci-lint

# For all alike, so that what lint, the tests and the program have in common is compiled once.
export GOFLAGS := $(GOFLAGS) -trimpath

.DEFAULT_GOAL := help
.PHONY: help build demo test lint fuzz bench torture clean FORCE

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: $(BIN) ## the program, in bin/

$(BIN): FORCE
	$(GO) build $(TAGS) -ldflags "-X main.version=$(VERSION)" -o $@ ./cmd/depositd

demo: build ## a demonstration month, then the server on 127.0.0.1:8080 (ONCE=1: without the server)
	$(BIN) demo $(if $(ONCE),--once)

# What takes the race detector long for little – the embedded engine in the test's process, which it makes ten times slower – is
# played under it in a sample, and what it could see nothing of, one goroutine or a program in a process of its own, not at all.
# These are played without it, all of them: TestWholeIsAllOfIt holds the list to the tests.
WHOLE := TestNeverTwice TestTwoWorlds.* TestScripts TestScenarios TestDemo TestWatchMonth TestWatchNumbers TestWatchSilence TestCanary.* \
	TestBenchIngest TestBenchNightly TestBenchRefunds TestTorture.* TestEveryCallFailsIsNoticed TestSenderKilledFindsBugs TestSeededBugsPayTwice \
	TestBatches TestAnyOrderEndsTheSame TestLateMoneyThroughTheDatabase TestSyncOfTheLargestCall TestForecast.* TestBacktest.* TestPrediction.* \
	TestNeedAgreesWithThePaths TestTwoJudges.*
NONE :=
WHOLE_RUN = ^($(subst $(NONE) $(NONE),|,$(strip $(WHOLE))))$$

test: ## every test, on both engines, with -race where it sees something; starts a private MariaDB
	IN_MEMORY=1 testdata/with-mariadb.sh sh -c '$(GO) test -race $(TAGS) -timeout 30m ./cmd/depositd ./... && \
		$(GO) test $(TAGS) -timeout 30m -run "$(WHOLE_RUN)" ./cmd/depositd ./...'

lint: $(LINT)-$(LINT_VERSION) ## golangci-lint, in the pinned version
	$(LINT) run

# The stamp names the version, so that another one is built when the pin moves.
$(LINT)-$(LINT_VERSION):
	@mkdir -p .bin
	@if ! $(LINT) version 2>/dev/null | grep -q ' $(LINT_VERSION:v%=%) '; then \
		echo "building golangci-lint $(LINT_VERSION), which takes some minutes"; \
		GOBIN=$(CURDIR)/.bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION); fi
	@touch $@

fuzz: ## each fuzz target for FUZZTIME (30s)
	@set -e; $(GO) list $(TAGS) ./... | while read -r package; do \
		for target in $$($(GO) test $(TAGS) -list '^Fuzz' "$$package" | grep '^Fuzz' || true); do \
			echo "== $$package $$target"; \
			$(GO) test $(TAGS) -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x "$$package"; \
		done; done

bench: build ## the benchmark's result, in bench.json, on both engines; beside it DuckDB, where a C compiler can build it
	-cd testdata/peers && $(GO) build -o $(CURDIR)/bin/peers .
	POOL=2G REDO=1G testdata/with-mariadb.sh sh -c '$(BIN) bench --also "$${TEST_MYSQL_URL}bench" --out bench.json'

torture: ## the long tests: killed processes, cut connections, many replicas
	@$(GO) test $(TAGS) -list '^TestTorture' ./... | grep -q '^TestTorture' || { echo "there is no TestTorture"; exit 1; }
	IN_MEMORY=1 testdata/with-mariadb.sh env TORTURE=1 $(GO) test -race $(TAGS) -timeout 60m -run '^TestTorture' ./...
	IN_MEMORY=1 testdata/with-mariadb.sh env TORTURE=1 $(GO) test $(TAGS) -timeout 180m -run '^TestTorture(NeverTwice|Killed|Disk|PowerCut|SenderKilled|Every(Call|Act|Step)Fails|ForecastIsInTime|Timing)$$' ./...
	IN_MEMORY=1 testdata/with-mariadb.sh env TORTURE=server $(GO) test $(TAGS) -timeout 180m -run '^TestTortureEvery(Call|Act|Step)Fails$$' ./...

clean: ## removes what make made
	rm -rf bin bench.json
