# Bootstraps itself: on a machine with Python 3.11+ (with venv), git and make, any target works.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
ECOM := $(BIN)/ecom
TOOLS := .tools/installed

# Of a pipeline: which shop, where its images are, which build. `latest` is refused everywhere.
SPEC ?= specs/ecommerce-kubernetes.yaml
REPOSITORY ?= ecom
TAG ?= $(shell git rev-parse --short=12 HEAD)
ON = $(ECOM) --spec $(SPEC)
# What a release brings: the build's images; of a shop whose services are commands, RELEASE='--version 1.1.0'.
RELEASE ?= $(foreach name,backend frontend,--image $(name)=$(REPOSITORY)/$(name):$(TAG))
# Trivy, by its digest: its own tags were moved by strangers once.
TRIVY ?= docker run --rm --volume /var/run/docker.sock:/var/run/docker.sock --volume $(CURDIR)/build:/build \
	docker.io/aquasec/trivy:0.74.0@sha256:62b1e65e8869bc4b4c6aa4fa2b21595256c7c2f6018a9d9ad61caf87187c1969

.PHONY: help install check format test torture test-cluster deploy demo drills bench monitoring lock clean
.PHONY: tools gates manifests scan pipelines images trivy scan-images staging production

help:
	@echo "make demo          the whole story once, on this machine"
	@echo "make test          all tests that need no cluster, in two passes"
	@echo "make drills        every disaster, rehearsed on a copy of the shop with a stopwatch"
	@echo "make check         format, lint, types, layers"
	@echo "make gates         manifests against Kubernetes' schemas, scans, pipelines"
	@echo "make images        build the images REPOSITORY/NAME:TAG, and push them where PUSH says how"
	@echo "make scan-images   judge what \`make trivy\` wrote about them"
	@echo "make staging       deploy, validate, load-test the shop of SPEC, as a pipeline does"
	@echo "make production    back up, prove the backup, release the build TAG, validate"
	@echo "make bench         the speed goals, as ratios"
	@echo "make torture       kill -9 a hundred times in a backup's life; a store that is away for a minute"
	@echo "make test-cluster  tests on the Kubernetes that KUBECONFIG names"
	@echo "make deploy        the shop to the Kubernetes that KUBECONFIG names"
	@echo "make monitoring    write the Prometheus rules and the dashboards"
	@echo "make lock          bring requirements.lock up to date"

install: $(INSTALLED)

# uv's own hashes stand in the lock, so even the installer is pinned.
$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear .venv
	awk '/^uv==/ {found = 1} found {print} found && !/\\$$/ {exit}' requirements.lock > .venv/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.lock
	$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $@

# Scanners and linters, apart from the project's own environment; locked by hash too.
tools: $(TOOLS) .tools/bin/actionlint .tools/bin/alertmanager .tools/bin/helm3

$(TOOLS): .ci/tools/python.lock $(INSTALLED)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .tools
	$(BIN)/uv pip sync --quiet --require-hashes --python .tools/bin/python .ci/tools/python.lock
	@touch $@

.tools/bin/%: .ci/tools/%/go.sum $(TOOLS)
	.ci/tools/build $*

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

gates: manifests scan pipelines

manifests: $(TOOLS) .tools/bin/helm3
	$(BIN)/python -m gates manifests

scan: $(TOOLS)
	$(BIN)/python -m gates scan

pipelines: $(TOOLS) .tools/bin/actionlint
	$(BIN)/python -m gates pipelines

images:
	REPOSITORY=$(REPOSITORY) k8s/images/build $(TAG)

trivy:
	mkdir -p build/trivy build/sarif
	for image in backend frontend platform; do \
		$(TRIVY) image --quiet --scanners vuln,secret --format json --output /build/trivy/$$image.json \
			$(REPOSITORY)/$$image:$(TAG) && \
		$(TRIVY) convert --format sarif --output /build/sarif/$$image.sarif /build/trivy/$$image.json || exit 1; done

scan-images: $(INSTALLED)
	$(BIN)/python -m gates images

# An environment that is not there is made, one that is there is mended; then the build is released into it.
staging: $(INSTALLED)
	$(ON) up
	$(ON) launch deploy
	$(ON) launch backup
	$(ON) launch verify_restore
	$(ON) release start $(RELEASE)
	$(ON) launch validate
	$(ON) launch benchmark

# A release begins only with a verified backup, watches itself, and goes back by itself.
production: $(INSTALLED)
	$(ON) launch backup
	$(ON) launch verify_restore
	$(ON) release start $(RELEASE)
	$(ON) launch validate

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(INSTALLED)
	$(BIN)/python -m tests $(ARGS)

test-cluster: $(INSTALLED)
	ECOM_TEST_WORKERS=$${ECOM_TEST_WORKERS-2} $(BIN)/python -m tests -m cluster --durations=30 $(ARGS)

torture: $(INSTALLED)
	KILL_ROUNDS=100 $(BIN)/python -m pytest tests/backup/test_dump_killed.py --timeout=3600 $(ARGS)
	AWAY_SECONDS=61 $(BIN)/python -m pytest tests/backup/test_stream_stores.py -k a_time_of_503 $(ARGS)

deploy: $(INSTALLED)
	$(ECOM) --spec specs/ecommerce-kubernetes.yaml up

demo: $(INSTALLED)
	$(ECOM) demo

drills: $(INSTALLED)
	code=0; \
	$(ECOM) drill all \
		|| code=$$?; \
	$(ECOM) report \
		|| [ $$? != 2 ] || code=2; \
	exit $$code

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

monitoring: $(INSTALLED)
	$(BIN)/python -m ecom_platform.monitoring

lock: $(INSTALLED)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --all-extras --no-emit-index-url \
		--no-emit-find-links --no-annotate --python-version 3.11 --custom-compile-command "make lock" \
		pyproject.toml --output-file requirements.lock
	k8s/images/lock
	for name in python go; do $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-annotate --python-version 3.11 --custom-compile-command "make lock" \
		.ci/tools/$$name.in --output-file .ci/tools/$$name.lock; done

clean:
	rm -rf .venv .tools .mypy_cache .pytest_cache .ruff_cache .hypothesis build *.egg-info
