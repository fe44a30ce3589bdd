# Two commands do everything: make demo, make test. See make help.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-controllers test-e2e bench lint generate cluster-up cluster-down cluster-status env images deploy host

COUNTRY ?= palestine

# With KUBECONFIG set, everything is done to that cluster, and REGISTRY and
# POSTGRES_IMAGE say what it pulls from. Without it, to the local one.
STATE := /var/lib/ejustice-cluster
ifeq ($(KUBECONFIG),$(filter $(KUBECONFIG),$(STATE)/pki/admin.kubeconfig))
LOCAL := yes
export KUBECONFIG := $(STATE)/pki/admin.kubeconfig
export EJUSTICE_AUDIT_LOG := $(STATE)/logs/audit.log
export EJUSTICE_ETCD := https://127.0.0.1:12379
export EJUSTICE_PKI := $(STATE)/pki
export EJUSTICE_VAULT := $(STATE)/vault
export EJUSTICE_IMAGES := $(STATE)/images.json
# Only where they are meant: other tests have Vaults of their own.
test-e2e bench: export VAULT_ADDR := https://10.96.0.20:8200
test-e2e bench: export VAULT_CACERT := $(STATE)/vault/ca.crt
VAULT_IN_CLUSTER := https://vault.vault.svc:8200
VAULT_CACERT := $(STATE)/vault/ca.crt
PUBLIC_ISSUER := demo-public
GATEWAY := gateway/public
REGISTRY := 10.89.0.1:5000/ejustice
REGISTRY_CA := $(STATE)/pki/ca.crt
POD_CIDRS := 10.244.0.0/16
POSTGRES_IMAGE = $$(sed -n 's/.*"postgresql": "\(.*\)".*/\1/p' $(STATE)/images.json)
endif

CLUSTER = go run ./hack/cluster
ASSETS = eval "$$($(CLUSTER) assets)"
TOOL = go tool -modfile=hack/tools/go.mod

help: ## This list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: host $(if $(LOCAL),cluster-up) images deploy ## Everything from nothing: a cluster, the operator, a country (COUNTRY=palestine|cote-divoire|saint-lucia), its cases
	@LIVE=1 hack/step "demo: $(COUNTRY)" go run ./hack/demo --country $(COUNTRY)

test: host lint test-unit test-controllers $(if $(LOCAL),cluster-up) images deploy test-e2e ## Every check and every test
	@echo "== all checks and tests passed"

lint: ## Formatting, vet, staticcheck, generated files current
	@hack/step "formatting" bash -c 'out=$$(gofmt -l $$(git ls-files "*.go")); [ -z "$$out" ] || { echo "gofmt would change:"; echo "$$out"; exit 1; }'
	@hack/step "vet" go vet -tags e2e ./...
	@hack/step "staticcheck" $(TOOL) staticcheck -tags e2e ./...
	@hack/step "generated files are current" hack/generate.sh --check

test-unit: host ## Tests that need no cluster, with the race detector
	@hack/step "unit tests" bash -c '$(ASSETS) && go test -race $$(go list ./... | grep -v -E "/(controllers|e2e)$$")'

test-controllers: ## Tests of the reconcilers against a real apiserver and etcd
	@hack/step "controller tests" bash -c '$(ASSETS) && go test -race -timeout 20m ./controllers'

test-e2e: ## Tests on the running cluster that KUBECONFIG names
	@LIVE=1 hack/step "end-to-end tests" go test -tags e2e -count=1 -timeout 40m -v ./e2e

bench: host $(if $(LOCAL),cluster-up) images deploy ## Measured ratios, each beside its baseline in the same run
	@LIVE=1 hack/step "benchmarks" go test -tags e2e -run '^$$' -bench . -benchtime 1x -timeout 30m ./e2e

generate: ## Write deepcopy, apply configurations, CRDs and the chart's copies anew
	hack/generate.sh

cluster-up: ## The local two-node Kubernetes; safe to repeat
	@LIVE=1 hack/step "local cluster" $(CLUSTER) up

cluster-down: ## End it and remove every trace
	@$(CLUSTER) down

cluster-status: ## What runs, and the last words of what does not
	@$(CLUSTER) status

env: ## Shell lines for kubectl: eval "$(make -s env)"
	@$(CLUSTER) env

images: ## Build images and charts and push them to REGISTRY
	@[ -n "$(REGISTRY)" ] || { echo "say where to push: make $@ REGISTRY=registry.example.org/ejustice"; exit 2; }
	@hack/step "images and charts" go run ./hack/images --registry $(REGISTRY) $(if $(REGISTRY_CA),--ca $(REGISTRY_CA))

deploy: ## Install what make images built on the cluster
	@[ -n "$(POSTGRES_IMAGE)" ] || { echo "say which PostgreSQL tenants run: make $@ POSTGRES_IMAGE=repository:major@sha256:…"; exit 2; }
	@[ -n "$(VAULT_IN_CLUSTER)" ] || { echo "say where Vault is: make $@ VAULT_IN_CLUSTER=https://…"; exit 2; }
	@hack/step "operator" go run ./hack/deploy --vault-address "$(VAULT_IN_CLUSTER)" --vault-ca "$(VAULT_CACERT)" --public-issuer "$(PUBLIC_ISSUER)" --gateway "$(GATEWAY)" $(if $(REGISTRY_CA),--ca $(REGISTRY_CA)) --postgres-image "$(POSTGRES_IMAGE)" --pod-cidrs "$(POD_CIDRS)" --allowed-registries "$(ALLOWED_REGISTRIES)"

# What the tests need of the host beside Go: a C compiler for the race detector
# and a PostgreSQL for the modules' own tests.
host:
	@command -v gcc >/dev/null && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || hack/step "host packages for tests" bash -c 'command -v apt-get >/dev/null || { echo "install gcc and a PostgreSQL server with your package manager, then run this again"; exit 1; }; apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install gcc libc6-dev postgresql-15'
