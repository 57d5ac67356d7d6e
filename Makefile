# make demo           install, train a small ensemble on synthetic words, write its report
# make setup          install, with the development tools
# make test           run the tests
# make lint           run ruff and mypy
# make constraints    write the newest versions to constraints.txt and test them
PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt # versions to install; empty for the newest
BIN := $(VENV)/bin
INSTALL = $(BIN)/pip install $(addprefix --constraint ,$(strip $(CONSTRAINTS))) --editable

.PHONY: demo test lint setup constraints
demo: $(VENV)/.ready
	$(BIN)/python train.py -m experiment=demo model.pool=avg,max
	$(BIN)/python ensemble.py run_dir=outputs/demo expect=2
	@echo
	@echo "Submission:   outputs/demo/submission.csv"
	@echo "Report:       outputs/demo/report.html"
	@echo "TensorBoard:  $(BIN)/tensorboard --logdir outputs"
	@echo "Try it:       $(BIN)/python predict.py run_dir=outputs/demo input=RECORDING"

test: setup
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

setup: $(VENV)/.dev-ready

$(VENV)/.ready: pyproject.toml $(strip $(CONSTRAINTS))
	$(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV). The first time, this downloads 3.1 GB; README.md says how to install without CUDA."
	$(INSTALL) .
	touch $@

$(VENV)/.dev-ready: $(VENV)/.ready
	$(INSTALL) '.[dev]'
	touch $@

constraints:
	rm -rf .venv-newest
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/pip install uv
	.venv-newest/bin/uv pip compile --universal --all-extras --python-version 3.10 --upgrade --no-annotate --quiet \
		pyproject.toml --output-file constraints.txt
	$(MAKE) test VENV=.venv-newest
	.venv-newest/bin/pip install --editable '.[wandb,mlflow,optuna,microphone]'
	.venv-newest/bin/python -m pytest tests/test_loggers.py
