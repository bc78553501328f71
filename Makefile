# make demo   the page on http://127.0.0.1:7860 or the next free port (PORT=8000 make demo for a certain one)
# make test   lint, types and the tests, but for the slow ones; make test-all   those too
# make web    the page without a server, in dist/: for any file server, or a static Space
# make screenshots   the pictures of the page in docs/, with the bundled model (with Chromium or Chrome, like the tests)
# make weights   both halves of a model like the default one, from nothing; minutes on a GPU
# make gpu    where there is a GPU: the benchmark, the page with 1 and 16 visitors, the library's tests (Linux)
# make soak   the page under load and abuse, a quarter of an hour (docs/RELIABILITY.md)
# All need Python 3.10 or newer and nothing else; PYTHON=python3.12 picks which one builds .venv.

PYTHON ?= python3
PORT ?=
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: demo web test test-all lint weights screenshots gpu soak requirements clean

demo: $(VENV)/.installed
	PORT=$(PORT) $(RUN) app.py

web: $(VENV)/.installed-dev
	$(RUN) app.py --static dist

# Two processes of one thread each: more threads than cores wait for each other.
test test-all: lint
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n 2 --dist loadfile $(if $(filter test,$@),-m "not slow")

lint: $(VENV)/.installed-dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	cd ddpm/demo && $(CURDIR)/$(VENV)/bin/biome check --error-on-warnings

# Both halves of a model like the default one, from nothing: minutes on a GPU. Smaller: make weights SCENES=2000 IMAGES=4096
SCENES = 31000
IMAGES = 8000000
HALVES = coarse fine
weights: $(VENV)/.installed-dev
	test -e data/recipe/labels.json || $(RUN) -m training.render --count $(SCENES) --seed 37 --in-sight 0.9 \
		--counts 0 1 2 2 3 3 3 4 4 4 4 4 5 5 5 5 5 5 5 5 --out data/recipe
	$(MAKE) -j 2 $(HALVES:%=half-%)
	$(RUN) -m training.join $(HALVES:%=runs/recipe-%/checkpoint) --out runs/recipe

half-%: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(RUN) -m training.train --preset gpu-$* --data data/recipe --out runs/recipe-$* --images $(IMAGES) --resume

screenshots: $(VENV)/.installed-dev
	$(RUN) -m tests.screenshots

# Minutes; on a CPU too, where it says what a GPU is compared with.
gpu: $(VENV)/.installed-dev
	$(RUN) -m training.benchmark --json runs/gpu.json
	$(RUN) -m tests.soak --seconds 5 --clients 1 16 --sessions 10 --json runs/gpu-soak.json
	$(RUN) -m pytest tests/test_pipeline.py tests/test_devices.py tests/test_batching.py tests/test_samplers.py

soak: $(VENV)/.installed-dev
	$(RUN) -m tests.soak --json runs/soak.json
	FUZZ_CALLS=2000 $(RUN) -m pytest tests/test_fuzz.py

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

# The ranges stand in pyproject.toml; a Space reads them here.
requirements: $(VENV)/.installed-dev
	$(RUN) .ci/requirements.py > requirements.txt

# The stamps keep a second call from installing again; a changed list of requirements makes them stale. What the tests
# need includes all that the demo needs.
$(VENV)/.installed: WANTED := --requirement requirements.txt
$(VENV)/.installed-dev: WANTED := --editable '.[demo,train,web,dev]'
$(VENV)/.installed $(VENV)/.installed-dev: pyproject.toml requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed, this is " + sys.version if sys.version_info < (3, 10) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --disable-pip-version-check --quiet $(WANTED) --constraint constraints.txt
	touch $(VENV)/.installed $@
