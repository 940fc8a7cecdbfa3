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
TEST_TOOLS  := gcc fusermount3 litmus rsync sqlite3 git curl strace unzip vim stress-ng
CEPH_TOOLS  := curl ceph ceph-mon ceph-osd radosgw
CEPH_BRIEF  := ^(TestContract|TestScripts|TestCrossScripts|TestSameBytes|TestG1CloseToOpen|TestLitmus|TestS3(DirectURLs|EditSendsLittle|Import|KillUpload|Recover|Writeback))$$
BENCH_TOOLS := rclone s3fs
VERSITYGW   := v1.8.0
S3_SERVER   := .tools/versitygw-$(VERSITYGW)
GOLANGCI    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
ifneq ($(CI),)
export TOTE_MUST_RUN := 1
endif

.PHONY: help run build test clients unit fuzz integration integration-s3 test-s3 test-ceph test-ceph-brief need-ceph lint vet bench bench-s3 bench-growth soak fmt clean need-run need-test

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: need-run build ## install what is missing, build, mount ./mnt and serve http://127.0.0.1:7788
	@[ -d $(MOUNT) ] || mkdir $(MOUNT) 2>/dev/null || true
	@exec ./bin/tote serve --data $(DATA) --mount $(MOUNT) --listen $(LISTEN)

build: ## build bin/tote
	$(GO) build -trimpath -buildvcs=$(STAMP) -ldflags '$(LDFLAGS)' -o bin/tote ./cmd/tote

test: need-test clients vet unit fuzz integration integration-s3 ## install what tests need, run everything but Ceph

clients: ## install the programs and modules that tests use as clients
	@scripts/clients.sh

unit: $(S3_SERVER) ## unit tests, with the race detector
	$(GO) test $(RACE) -timeout 12m $(TESTFLAGS) $$($(GO) list ./... | grep -v '/integration')

fuzz: ## what clients may send to the REST APIs, each kind 1000 times or FUZZ=duration
	@GO=$(GO) scripts/fuzz.sh $(or $(FUZZ),1000x) ./restapi

integration: build $(S3_SERVER) ## the real binary, real mounts, litmus, rsync, git, sqlite3
	$(GO) test -count=1 -timeout 18m $(TESTFLAGS) ./integration/...

integration-s3: build $(S3_SERVER) ## the same tests of the doors with an S3 server as the store
	TOTE_TEST_STORE=s3 $(GO) test -count=1 -timeout 25m $(TESTFLAGS) ./integration

test-s3: need-test clients build ## all tests of S3 on another server: ENDPOINT=URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
	@[ -n "$$ENDPOINT" ] || { echo "usage: make test-s3 ENDPOINT=http://host:port, with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY set" >&2; exit 2; }
	TOTE_TEST_S3=$$ENDPOINT $(GO) test -count=1 -timeout 15m $(if $(RUN),-run '$(RUN)') $(TESTFLAGS) ./objstore/s3store
	TOTE_TEST_S3=$$ENDPOINT TOTE_TEST_STORE=s3 $(GO) test -count=1 -timeout 30m $(if $(RUN),-run '$(RUN)') $(TESTFLAGS) ./integration

test-ceph: need-test need-ceph ## test-s3 on a Ceph cluster of one node, which it installs and starts; RUN=pattern of tests
	scripts/ceph.sh run $(MAKE) test-s3 RUN='$(RUN)'

test-ceph-brief: ## the part of test-ceph that continuous integration runs: the store's contract and the doors
	$(MAKE) test-ceph RUN='$(CEPH_BRIEF)'

lint: ## golangci-lint with go vet, staticcheck and the import arrows
	$(GO) run $(GOLANGCI) run ./...

vet:
	$(GO) vet ./...

bench: need-test build ## speed beside a native directory and the peers, medians of 3
	$(GO) run ./integration/bench -tote bin/tote $(BENCHFLAGS)

bench-s3: need-test build ## speed on an S3 server beside rclone, s3fs and the SDK itself, medians of 3
	@scripts/need.sh $(BENCH_TOOLS)
	$(GO) run ./integration/bench -s3 -tote bin/tote $(BENCHFLAGS)

bench-growth: need-test build ## speed with 10 thousand, 1 million and 10 million files, medians of 3
	$(GO) run ./integration/bench -growth -tote bin/tote $(BENCHFLAGS)

soak: need-test build ## mixed load with kill -9, for an hour or SOAK=duration, and the long forms of other tests
	TOTE_SOAK=$(or $(SOAK),1h) $(GO) test -count=1 -timeout 0 -run '^TestSoak' -v $(TESTFLAGS) ./integration

fmt: ## format the code
	$(GOFMT) -w $$(git ls-files '*.go')

clean: ## remove what make built; data and mounts stay
	rm -rf bin

need-run:
	@scripts/need.sh $(RUN_TOOLS)

need-ceph:
	@scripts/need.sh $(CEPH_TOOLS)

need-test: $(S3_SERVER)
	@scripts/need.sh $(TEST_TOOLS)

# The S3 server that tests start. The empty file tells which version is there.
$(S3_SERVER):
	@echo "installing versitygw $(VERSITYGW)"
	@mkdir -p .tools/bin
	@GOBIN=$(CURDIR)/.tools/bin $(GO) install github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW)
	@rm -f .tools/versitygw-* && touch $@
