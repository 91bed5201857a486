# Commands; each makes its own environment with nothing but Python >= 3.11.
#   make demo        deblur photos, and put the blur of one image pair on another image
#   make test        lint, types and the test suite
#   make test-slow   the tests that take more than ten seconds each
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The tests read records through TensorFlow too, which nothing else needs. Making
# bytecode takes longer than the demo saves by it; the tests start many processes.
TEST_STAMP := $(VENV)/.test-installed

.PHONY: demo demo-deblur demo-transfer test test-slow lint lock

demo: $(STAMP)
	$(BIN)/python scripts/prepare_demo.py -o demo/photos
	$(MAKE) --no-print-directory --jobs=2 demo-deblur demo-transfer

demo-deblur:
	$(BIN)/kernel-space deblur demo/photos/astronaut.png demo/photos/coffee.png \
	  demo/photos/rocket.png -o demo/deblurred --sheet --overwrite

demo-transfer:
	$(BIN)/kernel-space transfer --sharp data/samples/leaves_sharp.png \
	  --blurry data/samples/leaves_blurry.png data/samples/shapes_sharp.png \
	  -o demo/transferred --sheet --overwrite

test: $(TEST_STAMP) lint
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(TEST_STAMP)
	$(BIN)/python -m pytest -m slow

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

# The lock holds every version and hash for Python 3.11 to 3.13 on all systems.
$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kernel_space_jax needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(TEST_STAMP): $(STAMP) requirements-tf.lock
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes -r requirements-tf.lock
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib || true
	touch $@

lock:
	uv pip compile pyproject.toml --extra test --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command "make lock" -o requirements.lock
	uv pip compile pyproject.toml --extra test --extra tf --universal \
	  --python-version 3.11 -c requirements.lock \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command "make lock" -o requirements-tf.lock
