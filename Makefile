# Two commands do all the set-up on a fresh machine (Python >= 3.10): `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := runs/demo
MODEL := $(addprefix tests/hw/test_,predictor.py schedule.py simulator.py compiled.py)

.PHONY: demo paper-smoke test test-numpy test-all test-model test-hls test-mutants lint bench golden clean

demo: $(VENV)/demo
	$(BIN)/python tools/demo.py --out $(RUN)

# Every table and figure of the paper from real, tiny runs on Breakout. Six minutes on two cores.
paper-smoke: $(VENV)/demo
	$(BIN)/a3cs paper all --scale smoke --out runs/smoke

test: $(VENV)/test
	$(BIN)/python -m pytest -q

test-all: $(VENV)/test
	$(BIN)/python -m pytest -q -m "slow or not slow"

# The proof of the hardware model: predictor = simulator = independent stepper, and planted faults are found. Three minutes.
test-model: $(VENV)/test
	$(BIN)/python -m pytest -q -m "slow or not slow" $(MODEL)
	$(BIN)/python tests/hw/model_faults.py

# The HLS chunk in C++ against the golden vectors, with plain integers and with Xilinx's headers (of hls4ml). Needs g++.
test-hls: $(VENV)/test
	$(BIN)/python -m pip install -q --no-deps hls4ml
	$(BIN)/python -m pytest -q -m "slow or not slow" tests/hls

# Over a hundred one-line faults of the HLS sources, compiled one by one: the golden suite must find each. Ten minutes.
test-mutants: $(VENV)/test
	PYTHONPATH=tests/hw:tests/hls $(BIN)/python tests/hls/mutants.py

# The same tests, and the chain on a built-in game, where nothing but NumPy (and pytest) is installed. C, C++ and benchmarks are no
# other there than with every extra.
test-numpy: .venv-numpy/test
	.venv-numpy/bin/python -m pytest -q $(addprefix --ignore=tests/,hls hw/test_golden_bench.py hw/test_export_c.py end_to_end/test_bench.py)
	.venv-numpy/bin/python tools/demo.py --game catch --tiny --out runs/demo-numpy

lint: $(VENV)/test
	$(BIN)/python -m pip install -q "ruff>=0.6" mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

# Every benchmark against its peers, on a machine that does nothing else: half an hour; writes docs/benchmarks.md.
bench: $(VENV)/test
	$(BIN)/python -m pip install -q -e ".[bench]"
	$(BIN)/python tools/bench.py all

golden: $(VENV)/test
	$(BIN)/a3cs golden generate --out golden

$(VENV)/demo: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -e ".[all]"
	touch $@

$(VENV)/test: $(VENV)/demo
	$(BIN)/python -m pip install -q -e ".[all,test]"
	touch $@

.venv-numpy/test: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv-numpy
	.venv-numpy/bin/python -m pip install -q -e . pytest
	touch $@

clean:
	rm -rf .venv .venv-numpy build dist *.egg-info runs/demo runs/demo-numpy runs/smoke
