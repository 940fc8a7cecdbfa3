# tote. "make help" lists what there is.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Go is often installed without being on the PATH.
GO := $(shell command -v go || echo /usr/local/go/bin/go)
GOFMT := $(dir $(GO))gofmt
export CGO_ENABLED := 1

# Where "make run" keeps its data, mounts and listens.
DATA   ?= ./data
MOUNT  ?= ./mnt
LISTEN ?= 127.0.0.1:7788

VERSION ?=
LDFLAGS := $(if $(VERSION),-X main.version=$(VERSION))
# git refuses to answer in a checkout of another user, which would fail the build.
STAMP := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo auto || echo false)

# Test-only settings. In CI a test that skips fails.
RACE        ?= -race
TESTFLAGS   ?=
BENCHFLAGS  ?=
RUN_TOOLS   := gcc fusermount3
TEST_TOOLS  := gcc fusermount3 litmus rsync sqlite3 git curl strace
GOLANGCI    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
ifneq ($(CI),)
export TOTE_MUST_RUN := 1
endif

.PHONY: help run build test unit integration lint vet bench soak fmt clean need-run need-test

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: need-run build ## install what is missing, build, mount ./mnt and serve http://127.0.0.1:7788
	@[ -d $(MOUNT) ] || mkdir $(MOUNT) 2>/dev/null || true
	@exec ./bin/tote serve --data $(DATA) --mount $(MOUNT) --listen $(LISTEN)

build: ## build bin/tote
	$(GO) build -trimpath -buildvcs=$(STAMP) -ldflags '$(LDFLAGS)' -o bin/tote ./cmd/tote

test: need-test vet unit integration ## install what tests need, run everything

unit: ## unit tests, with the race detector
	$(GO) test $(RACE) -timeout 12m $(TESTFLAGS) $$($(GO) list ./... | grep -v '/integration')

integration: build ## the real binary, real mounts, litmus, rsync, git, sqlite3
	$(GO) test -count=1 -timeout 18m $(TESTFLAGS) ./integration/...

lint: ## golangci-lint with go vet, staticcheck and the import arrows
	$(GO) run $(GOLANGCI) run ./...

vet:
	$(GO) vet ./...

bench: need-test build ## speed beside a native directory and the peers, medians of 3
	$(GO) run ./integration/bench -tote bin/tote $(BENCHFLAGS)

soak: need-test build ## mixed load with kill -9, for an hour or SOAK=duration
	TOTE_SOAK=$(or $(SOAK),1h) $(GO) test -count=1 -timeout 0 -run '^TestSoak' -v $(TESTFLAGS) ./integration

fmt: ## format the code
	$(GOFMT) -w $$(git ls-files '*.go')

clean: ## remove what make built; data and mounts stay
	rm -rf bin

need-run:
	@scripts/need.sh $(RUN_TOOLS)

need-test:
	@scripts/need.sh $(TEST_TOOLS)
