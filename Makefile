# Every command a person needs. Variables: PYTHON (makes .venv), PORT (make serve), TORCH (make bench),
# PYTHON313 (make colab-check), CHAPTERS (make notebooks, make colab-check: chapters/01_vae.ipynb ...),
# SECRET (make classroom), SUBMISSIONS, GRADES and JOBS (make grade).
PYTHON ?= python3
PYTHON313 ?= python3.13
PORT ?= 8000
TORCH ?= torch
UV ?= uv
JOBS ?= 1
GRADES ?= _build/grades.csv

PY := .venv/bin/python
ENV := .venv/.installed
BENCH := .venv-bench/.installed
COLAB_ENV := .venv-colab/.installed
BOOK := _build/.built
BOOK_SOURCES := $(shell find book chapters lib/latentcells _config.yml _toc.yml -type f -not -path '*/.*' -not -name '*.pyc')
CHAPTERS := $(sort $(wildcard chapters/*.ipynb))
EXERCISES := $(sort $(wildcard book/exercises/*.ipynb))
# a process for each core, and a thread for each process: more of them wait for each other; the tests of a
# file, and the cells of a notebook, stay together
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
PYTEST := $(ONE_THREAD) $(PY) -m pytest -n auto --dist loadfile
# the tests train many small models: XLA compiles each program once, and does not polish it
JAX := KERAS_BACKEND=jax XLA_FLAGS=--xla_backend_optimization_level=0 JAX_COMPILATION_CACHE_DIR=$(abspath .pytest_cache/jax) \
    JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1
NBVAL := $(PYTEST) chapters --nbval --nbval-current-env --nbval-sanitize-with=tests/notebooks/sanitize.cfg

# The raw data, where a checkout has them beside it; nothing needs that folder to be there.
ifneq ($(wildcard ../shared/data/.),)
export LATENTCELLS_DATA ?= $(abspath ../shared/data)
endif

.PHONY: help book pdf zip serve lab colab colab-check classroom grade test test-all test-jax test-slow test-offline newest \
    reliability notebooks results explorer bench lock licences lint format clean
.DELETE_ON_ERROR:

help:  ## list the targets (default)
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

book: $(BOOK)  ## build the book from the stored outputs; warnings are errors
	@echo "The book: file://$(abspath _build/html/index.html) (or: make serve)"

pdf: book  ## print the book as one PDF, in some minutes (needs Chromium)
	$(PY) -m tools.pdf

zip: book  ## pack the site, to read it from a folder without a network
	$(PY) -m tools.pack

serve: book  ## serve the built book on this computer only
	$(PY) -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

lab: $(ENV)  ## open the chapters in JupyterLab
	.venv/bin/jupyter lab --notebook-dir=chapters

colab: book  ## build the Colab edition: plain notebooks, the library's wheel, an index
	$(PY) -m tools.colab

colab-check: colab $(COLAB_ENV)  ## run its notebooks with the versions that Colab ships (needs Python 3.13)
	$(PY) -m tools.colab_check $(notdir $(CHAPTERS))

test: book  ## test the library, the notebooks (nbval) and the built book
	$(PYTEST) --cov
	$(NBVAL)

test-all: test test-jax test-slow test-offline colab-check  ## make test, and then everything that it leaves out

test-jax: $(ENV)  ## run on JAX the tests of what a backend can change
	$(JAX) $(PYTEST) -m "backend and not slow" tests

test-slow: $(ENV)  ## run the tests that take long: axe on every page, stored runs again, other processes
	$(PYTEST) -m slow tests

test-offline: $(ENV)  ## run every notebook with no data at hand and downloads refused
	empty=$$(mktemp -d); LATENTCELLS_DATA=$$empty LATENTCELLS_OFFLINE=1 $(NBVAL); status=$$?; \
	    rm -r $$empty; exit $$status

reliability: $(ENV)  ## rebuild the tables of book/reliability.md
	$(PY) -m pytest -n 0 -m "" --record tests/datasets/test_faults.py tests/test_strangers.py tests/test_inputs.py \
	    tests/test_arguments.py tests/test_same_answer.py

newest:  ## run the tests with the newest releases and say which dependency broke (needs a network)
	$(PYTHON) -m tools.newest

notebooks: $(ENV)  ## execute every notebook as nbval does and store its outputs
	$(ONE_THREAD) .venv/bin/jupyter execute --inplace --kernel_name=python3 --timeout=600 $(CHAPTERS)
	$(PY) tools/normalise.py $(CHAPTERS)

results: $(ENV)  ## rebuild book/results/*.json
	$(PY) -m benchmarks.results

explorer: $(ENV)  ## train the latent explorer's model again; rebuild what its page reads
	OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 $(PY) -m tools.explorer

classroom: $(ENV)  ## build what a class needs in _build/classroom (SECRET=words that only you know)
	@$(PY) -m tools.classroom.build

grade: $(ENV)  ## grade a class (SUBMISSIONS=folder); the results go to GRADES, JOBS submissions run at a time
	@OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 \
	    $(PY) -m tools.classroom.grade "$(SUBMISSIONS)" --out "$(GRADES)" --jobs $(JOBS)

bench: $(BENCH)  ## run other tools beside ours, in .venv-bench (needs torch, gigabytes unless TORCH names a CPU build)
	.venv-bench/bin/python -m benchmarks.door
	.venv-bench/bin/python -m benchmarks.speed
	.venv-bench/bin/python -m benchmarks.correctors

lock:  ## resolve requirements.lock again for Python 3.11-3.13 (needs uv)
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-annotate --no-header --extra book --extra test --extra classroom --extra lab --output-file requirements.lock pyproject.toml

licences: $(ENV)  ## rebuild the table of the lock's versions and licences
	$(PY) -m tools.licences

lint: $(ENV)  ## check the style of the code and the notebooks; change nothing
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) tools/normalise.py --check $(CHAPTERS) $(EXERCISES)

format: $(ENV)  ## fix what `make lint` finds, where a program can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	$(PY) tools/normalise.py $(CHAPTERS) $(EXERCISES)

clean:  ## remove everything that was built or installed here
	rm -rf _build .venv .venv-bench .venv-colab .venv-newest .venv-alone .pytest_cache .ruff_cache .hypothesis .coverage \
	    lib/*.egg-info

# The lock is complete. Without --no-deps an old pip looks for `package[extra]` beside it and takes a newer, unpinned one.
$(ENV): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	    { echo "$$($(PYTHON) --version) found; needed: 3.11, 3.12 or 3.13 (make PYTHON=python3.12 ...)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	$(PY) -m pip check --disable-pip-version-check
	@touch $@

$(BENCH): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[bench]'
	@touch $@

# The pins are complete, as the lock is: what they lack is for the notebooks' first cell to bring.
$(COLAB_ENV): tools/colab_pins.txt
	@$(PYTHON313) --version | grep -q ' 3\.13\.' || \
	    { echo "needed: Python 3.13, which Colab has (make PYTHON313=path/to/python3.13 colab-check)"; exit 1; }
	$(PYTHON313) -m venv --clear .venv-colab
	.venv-colab/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	@touch $@

# Always a fresh build: Sphinx repeats no warning of a page that it has cached.
$(BOOK): $(ENV) $(BOOK_SOURCES)
	@rm -rf _build/html _build/.doctrees
	.venv/bin/jupyter-book build . -W -n --keep-going -q
	@touch $@
