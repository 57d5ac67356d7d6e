# make demo     set-up, a small sweep on the embedded corpus, its ensemble and report
# make test     set-up, the tests
# make lint     set-up, ruff, mypy
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python

.PHONY: demo test lint setup
setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --editable '.[dev]'
	touch $@

demo: setup
	$(RUN) train.py -m experiment=demo model.pool=avg,max
	$(RUN) ensemble.py run_dir=outputs/demo expect=2
	@echo
	@echo "Submission:   outputs/demo/submission.csv"
	@echo "Report:       outputs/demo/report.html"
	@echo "TensorBoard:  $(VENV)/bin/tensorboard --logdir outputs"
	@echo "Try it:       $(RUN) predict.py run_dir=outputs/demo input=RECORDING"

test: setup
	$(RUN) -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
