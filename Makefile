# `make run` and `make test` are all a newcomer needs; both make the environment first. `make help` lists the others.

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin

.PHONY: help run check test test-slurm test-gpu lint bench doctor plan register report studies prune archive check-archive docs clean help

# Snakemake cannot run an interpreter whose path has such signs (its issue 2645): said before anything is installed
ifneq ($(shell pwd | tr -cd '[:space:]()[]{}&;|<>*?!"#$$`\\'"'" | tr -d '\n' | wc -c | tr -d ' '),0)
$(error The path of this folder has a space, or another sign that the shell takes for its own, which Snakemake cannot handle: move $(CURDIR) to a path of letters, digits, . _ and - alone)
endif

# the embedded study, on CORES=N cores or all; first says how long that takes here
run: .venv/run.stamp
	@$(BIN)/python scripts/run_time.py $(CORES)
	$(BIN)/snakemake --cores $(CORES)
	@echo "Results: results/studies/embedded/simulated/report.html; tables and figures beside it"

# side by side on up to four cores, the tests of a file in one process: they share what they set up
TESTS := $(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# for daily work: style, and the tests that take a moment
check: lint
	$(TESTS) -m "not slow" tests/unit

# everything that is tested: style, functions, runs of the workflow
test: lint
	$(TESTS)

# a real SLURM on this machine, started and stopped by the test; needs root and apt, else skips and says so
test-slurm: .venv/dev.stamp
	$(BIN)/pytest tests/slurm

# extraction and training on a GPU against the CPU's; without one every test is skipped, and says so
test-gpu: .venv/dev.stamp
	$(BIN)/pytest tests/gpu

# style alone
lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check --compact-diff Snakefile rules
	$(BIN)/snakemake --lint

# every case against its peer, one after the other; takes some minutes and wants a quiet machine
bench: .venv/dev.stamp
	$(BIN)/python measurements/bench/run.py

# the report of STUDY anew, once its results are all there
report: .venv/run.stamp
	@$(BIN)/python scripts/report.py $(STUDY)

# the studies that have been run: size, and whether they are current
studies: .venv/run.stamp
	@$(BIN)/python scripts/studies.py list

# remove what no study asks for any more, such as activations of networks that were taken out; asks first
prune: .venv/run.stamp
	@$(BIN)/python scripts/studies.py prune

# what this machine has for the study in STUDY (a file of studies/; none: the embedded study), and what it lacks
doctor: .venv/run.stamp
	@$(BIN)/python scripts/doctor.py $(STUDY)

# of the study in STUDY: what a run would do, jobs and disk
plan: .venv/run.stamp
	@$(BIN)/python scripts/plan.py $(STUDY)

# the claims of the study in STUDY (a file of studies/; none: the embedded study), before its scores are seen: writes
# a file to commit; TIME_STAMP=ADDRESS names a public time stamp
register: .venv/run.stamp
	@$(BIN)/python scripts/register.py $(STUDY) $(if $(TIME_STAMP),--time-stamp $(TIME_STAMP))

# code, cards, configuration and results as one file, results/archives/STUDY.crate.zip, once the study has run
archive: .venv/run.stamp
	@$(BIN)/python scripts/archive.py write $(STUDY)

# is the archive in ARCHIVE=FILE whole, and made by its code from its inputs
check-archive: .venv/run.stamp
	@$(BIN)/python scripts/archive.py check $(ARCHIVE)

# these pages as a site, results/site/docs/index.html; a broken link is an error
docs: .venv/docs.stamp
	$(BIN)/python -m sphinx -q -W --keep-going -b html -c docs . results/site
	@echo "Documentation: results/site/docs/index.html"

# remove all results; downloads are kept: they are checked against their checksums whenever they are used
clean:
	find results -mindepth 1 -maxdepth 1 ! -name README.md ! -name downloads -exec rm -rf {} +

# this list
help:
	@awk '/^# /{text = text " " substr($$0, 3); next} /^[a-z-]+:/ && text {split($$1, name, ":"); printf "%-14s%s\n", name[1], text} {text = ""}' Makefile

.venv/run.stamp: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Error: Python >= 3.11 is needed, found " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt
	touch $@

.venv/docs.stamp: requirements-docs.txt .venv/run.stamp
	$(BIN)/pip install --quiet --requirement requirements-docs.txt
	touch $@

.venv/dev.stamp: requirements-dev.txt requirements-docs.txt .venv/run.stamp
	$(BIN)/pip install --quiet --requirement requirements-dev.txt
	touch $@
