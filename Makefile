# Everything that a person types in this project. Each target sets up what it needs.

PYTHON ?= python3
BIN := .venv/bin
PYTEST_ARGS ?=
SEEDS ?= 200
MINUTES ?= 30
HOSTS ?= 40
FIRST ?=
export SIGN_SSH_KEY SIGN_MINISIGN_KEY

.PHONY: help demo test lint simulate simulate-mutants bench soak fleet kubernetes kubernetes-server install uninstall dist release begin sign lock docs clean

help:  ## This list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

demo: .demo/ready  ## Vault and ECR into one file, on this machine, in a few seconds
	@.demo/bin/python -m tests.demo

test: .venv/ready  ## The whole suite; what this machine lacks is skipped and named
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

lint: .venv/ready  ## Style, types and the rule of who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

simulate: .venv/ready  ## Years of operation, new seeds each time: make simulate SEEDS=10000; FIRST=7 replays
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(if $(FIRST),--first $(FIRST))

simulate-mutants: .venv/ready  ## Whether the tests notice each rule of the core that is broken
	$(BIN)/python -m tests.simulation.mutants

bench: .venv/ready  ## Against what people use instead: make bench BENCH_ARGS='--only vault'
	@$(BIN)/python -m tests.benchmarks $(BENCH_ARGS)

soak: .venv/ready  ## Fifty rotations with short lives and many faults: make soak MINUTES=30
	@$(BIN)/python -m tests.benchmarks.soak --minutes $(MINUTES)

fleet: .venv/ready  ## So many real daemons on one OpenBao, which read a hub: make fleet HOSTS=40
	@$(BIN)/python -m tests.benchmarks.fleet --hosts $(HOSTS)

kubernetes: .venv/ready  ## A real Kubernetes API server on this machine, until Ctrl-C (needs Go and etcd)
	@$(BIN)/python -m tests.servers.kube_apiserver run

kubernetes-server: .venv/ready  ## Build that server for the suite; some minutes, once
	@$(BIN)/python -m tests.servers.kube_apiserver

install:  ## On this host, for systemd: make install PREFIX=/opt/rotator DESTDIR=
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' PYTHON='$(PYTHON)' deploy/install.sh install

uninstall:  ## Remove that; configuration, journal and what was published stay
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' deploy/install.sh uninstall

dist: .venv/ready  ## Everything that a release consists of, into dist/: the same bytes each time
	@$(BIN)/python -m deploy.packaging $(DIST_ARGS)

release: .venv/ready  ## Check, set the version, tag: make release VERSION=1.2.3
	@$(BIN)/python -m deploy.packaging.release '$(VERSION)'

begin: .venv/ready  ## After a release: what is built from here on says that it is none: make begin VERSION=1.3.0.dev0
	@$(BIN)/python -m deploy.packaging.release --begin '$(VERSION)'

sign: .venv/ready  ## Sign dist/SHA256SUMS: make sign SIGN_SSH_KEY=FILE
	@$(BIN)/python -m deploy.packaging.release --sign dist

lock: .venv/ready  ## Write requirements.txt, from pyproject.toml and constraints.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--constraint constraints.txt --output-file requirements.txt pyproject.toml

docs: .venv/ready  ## The documentation as a site, into build/site
	@$(BIN)/python -m docs.pages build && NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs --quiet build --strict --config-file build/mkdocs.yml

clean:  ## Remove what the other targets made
	rm -rf .venv build dist .bench .demo .pytest_cache .mypy_cache .ruff_cache .coverage

# Two environments: .venv has everything to develop with, .demo what a user has, and a Vault.
.venv/ready: EXTRA = dev,test
.demo/ready: EXTRA = demo
.venv/ready .demo/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "rotator needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(@D) || { echo "on Debian: apt-get install python3-venv"; exit 1; }
	$(@D)/bin/pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt --editable '.[$(EXTRA)]'
	@touch $@
