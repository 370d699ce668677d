# `make run` to try it, `make test` to test it, `make check` for all that CI runs.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
FUZZTIME ?= 20s
ORACLE ?= 10000000
EDGES ?= 200000
FLOOD ?= 1000000
# Each linter is a tool of its own. golangci-lint, which has all of them, is a thousand packages to compile, and it keeps
# a cache that go vet does not share: `make golangci` runs it by hand.
TOOL := go tool -modfile=.ci/tools/go.mod

.PHONY: help build run test check race race-factors oracle fuzz edges flood kill bench timings release reproducible fmt lint golangci arrows prose requirements

help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 15

build: ## build bin/caddy: Caddy's standard modules and this plugin
	@scripts/build-caddy bin/caddy

run: build ## start Caddyfile.example on https://localhost:8443
	bin/caddy run --config Caddyfile.example --adapter caddyfile

test: build ## every test; on Debian and Ubuntu first installs what is missing
	@scripts/install-test-deps
	@TRUXE_TEST_BINARY="$(CURDIR)/bin/caddy" scripts/run-tests

check: lint arrows test ## formatting, vet, linters, wording, import arrows, every test: what CI runs

lint:
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	$(TOOL) staticcheck ./...
	$(TOOL) unparam ./...
	$(TOOL) revive -config .ci/tools/revive.toml -set_exit_status ./...
	go build -modfile=.ci/tools/go.mod -o bin/go-errorlint codeberg.org/polyfloyd/go-errorlint
	go vet -vettool=bin/go-errorlint ./...
	$(TOOL) actionlint -shellcheck= -pyflakes=
	go test -count=1 ./test/prose

golangci: ## what golangci-lint finds beyond the linters of check (.golangci.yml); minutes and 3 GB the first time
	go build -modfile=.ci/golangci/go.mod -o bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/golangci-lint run

arrows:
	go test -count=1 -run 'TestArrows|TestNothingLifts' ./test

prose: ## list wording that the project avoids, with what to write instead
	go run ./test/prose

requirements: ## rewrite the tests column of docs/security-requirements.md from the tests' comments
	go run ./test/requirements

race: ## the inner packages under the race detector
	go test -race -p 1 -timeout 15m ./internal/...

race-factors: ## 1,000 rounds of 50 racing uses of one code, on SQLite and on two nodes with PostgreSQL and Redis
	TRUXE_RACE_ROUNDS=1000 go test -count=1 -timeout 2h -v -run Racing ./internal/signin

oracle: ## ORACLE (10,000,000) random decisions against a slow evaluator of the policy text
	TRUXE_ORACLE_TRIPLES=$(ORACLE) go test -count=1 -timeout 3h -v -run TestTheEngineAgreesWithTheOracle ./internal/policy

fuzz: ## every fuzz target for FUZZTIME (20s)
	@FUZZTIME=$(FUZZTIME) scripts/fuzz

edges: build ## EDGES (200,000) random requests to random configurations, against a model
	TRUXE_TEST_BINARY="$(CURDIR)/bin/caddy" TRUXE_EDGES_REQUESTS=$(EDGES) go test -count=1 -timeout 3h -v -run TestRandomConfigurations ./test/edges

flood: build ## FLOOD (1,000,000) anonymous requests at one node with SQLite, and as many with Redis: nothing may stay
	TRUXE_TEST_BINARY="$(CURDIR)/bin/caddy" TRUXE_FLOOD_REQUESTS=$(FLOOD) go test -count=1 -timeout 3h -v -run TestFlood ./test/edges

kill: build ## 1,000 times kill -9 during a refresh (ten minutes)
	TRUXE_TEST_BINARY="$(CURDIR)/bin/caddy" TRUXE_KILL_ROUNDS=1000 go test -count=1 -timeout 3h -run TestKillDuringRefresh ./test

bench: build ## compare with plain Caddy and forward_auth
	cd bench && go run . -caddy "$(CURDIR)/bin/caddy"

timings: build ## the bounds of time that tests only log on a busy machine; run it on a quiet one
	TRUXE_STRICT_TIMES=1 TRUXE_TEST_BINARY="$(CURDIR)/bin/caddy" go test -count=1 -p 1 -timeout 30m ./internal/revocation/... ./internal/cluster ./internal/store ./internal/audit ./internal/mail
	TRUXE_STRICT_TIMES=1 TRUXE_TEST_BINARY="$(CURDIR)/bin/caddy" go test -count=1 -timeout 30m -run 'Revoked|Stream|RoleChange|Reload|Slow|Node|SessionEnded|Lifetime' ./test

release: ## archives for six targets, SBOMs and checksums in dist/; VERSION and TARGETS limit it (half an hour)
	@scripts/release

reproducible: ## build the committed state twice for one TARGET and compare the bytes (ten minutes)
	@scripts/check-reproducible

fmt: ## format Go and Caddyfiles
	gofmt -l -w .
	@if [ -x bin/caddy ]; then git ls-files 'Caddyfile.example' 'examples/*Caddyfile' | xargs -r -n 1 bin/caddy fmt --overwrite; fi
