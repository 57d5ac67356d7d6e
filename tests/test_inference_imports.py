"""Inference imports torch, pandas and soundfile, but nothing that only training, reports or the page need."""

import subprocess
import sys
from pathlib import Path

from tests.helpers.fake_members import write_network
from tests.helpers.scripts import ENVIRONMENT, ROOT

PROGRAM = """
import sys
import numpy as np
from overlapped_words import load

model = load(sys.argv[1], "cpu")
model.timeline(np.ones(20_000, np.float32), 16_000)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
UNUSED = "lightning pytorch_lightning torchmetrics tensorboard hydra omegaconf pydantic matplotlib plotly gradio onnx"


def test_a_checkpoint_predicts_without_lightning_and_hydra(tmp_path: Path) -> None:
    checkpoint = write_network(tmp_path, "avg", 0) / "checkpoints" / "last.ckpt"
    command = [sys.executable, "-c", PROGRAM, str(checkpoint)]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split())
    assert {"torch", "pandas", "soundfile"} <= imported
    assert not imported & set(UNUSED.split())
