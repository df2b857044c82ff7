# `make run` and `make test` are all a newcomer needs; both make the environment first. `make help` lists the others.

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin

.PHONY: help run check test test-slurm test-gpu lint bench doctor plan register report studies prune archive check-archive docs clean

# Snakemake cannot run an interpreter whose path has such signs (its issue 2645): said before anything is installed
ifneq ($(shell pwd | tr -cd '[:space:]()[]{}&;|<>*?!"#$$`\\'"'" | tr -d '\n' | wc -c | tr -d ' '),0)
$(error The path of this folder has a space, or another sign that the shell takes for its own, which Snakemake cannot handle: move $(CURDIR) to a path of letters, digits, . _ and - alone)
endif

# run the embedded study on CORES=N cores (default: all); first says how long the run takes here
run: .venv/run.stamp
	@$(BIN)/python scripts/run_time.py $(CORES)
	$(BIN)/snakemake --cores $(CORES)
	@echo "Results: results/studies/embedded/simulated/report.html; tables and figures beside it"

# side by side on up to four cores, the tests of a file in one process: they share what they set up
TESTS := $(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# check style and run the quick tests, for daily work
check: lint
	$(TESTS) -m "not slow" tests/unit

# run all tests: style, functions, runs of the workflow
test: lint
	$(TESTS)

# test a real SLURM on this machine; needs root and apt, and is skipped without them
test-slurm: .venv/dev.stamp
	$(BIN)/pytest tests/slurm

# compare extraction and training on a GPU with the CPU; skipped without a GPU
test-gpu: .venv/dev.stamp
	$(BIN)/pytest tests/gpu

# check style only
lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check --compact-diff Snakefile rules
	$(BIN)/snakemake --lint

# measure every method beside its peer; takes some minutes, and needs a quiet machine
bench: .venv/dev.stamp
	$(BIN)/python measurements/bench/run.py

# write the report of STUDY anew; needs all of its results
report: .venv/run.stamp
	@$(BIN)/python scripts/report.py $(STUDY)

# list the studies that have been run, their size, and whether they are current
studies: .venv/run.stamp
	@$(BIN)/python scripts/studies.py list

# remove what no study asks for any more, such as activations of networks that were taken out; asks first
prune: .venv/run.stamp
	@$(BIN)/python scripts/studies.py prune

# say what this machine has for STUDY=FILE (default: the embedded study), and what it lacks
doctor: .venv/run.stamp
	@$(BIN)/python scripts/doctor.py $(STUDY)

# say what a run of STUDY=FILE would do: jobs and disk
plan: .venv/run.stamp
	@$(BIN)/python scripts/plan.py $(STUDY)

# register the claims of STUDY=FILE before its scores are seen: writes a file to commit; TIME_STAMP=ADDRESS names a
# public time stamp
register: .venv/run.stamp
	@$(BIN)/python scripts/register.py $(STUDY) $(if $(TIME_STAMP),--time-stamp $(TIME_STAMP))

# write code, cards, configuration and results of a finished STUDY as one file, results/archives/STUDY.crate.zip
archive: .venv/run.stamp
	@$(BIN)/python scripts/archive.py write $(STUDY)

# check that the archive in ARCHIVE=FILE is whole, and that its code made it from its inputs
check-archive: .venv/run.stamp
	@$(BIN)/python scripts/archive.py check $(ARCHIVE)

# build the documentation as a site, results/site/docs/index.html; a broken link is an error
docs: .venv/docs.stamp
	$(BIN)/python -m sphinx -q -W --keep-going -b html -c docs . results/site
	@echo "Documentation: results/site/docs/index.html"

# remove all results but downloads
clean:
	find results -mindepth 1 -maxdepth 1 ! -name README.md ! -name downloads -exec rm -rf {} +

# print this list
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
