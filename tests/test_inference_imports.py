"""Inference imports nothing that only training, plots, reports or the page need; one clip needs no pandas either."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.helpers.fake_recordings import RATE, speech
from tests.helpers.networks import write_network
from tests.helpers.scripts import ENVIRONMENT, ROOT

SCRIPT = """
import runpy, sys

checkpoint, recording = sys.argv[1:]
sys.argv[1:] = [f"ckpt_path={checkpoint}", f"input={recording}", "device=cpu"]
runpy.run_path("predict.py", run_name="__main__")
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
API = """
import sys
from overlapped_words import load

load(sys.argv[1], "cpu").timeline(sys.argv[2])
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
TRAINING = {"lightning", "pytorch_lightning", "lightning_fabric", "torchmetrics", "tensorboard"}
REPORTS = {"plotly", "gradio", "onnx", "matplotlib"}
SCRIPTS = {"hydra", "omegaconf", "pydantic"}


@pytest.mark.parametrize(
    ("program", "needed", "unneeded"),
    [
        (SCRIPT, {"torch", "soundfile", "hydra"}, TRAINING | REPORTS | {"pandas"}),
        (API, {"torch", "soundfile", "pandas"}, TRAINING | REPORTS | SCRIPTS),
    ],
    ids=["script", "API"],
)
def test_a_checkpoint_predicts_without_heavy_packages(
    tmp_path: Path, program: str, needed: set[str], unneeded: set[str]
) -> None:
    checkpoint = write_network(tmp_path, "avg", 0) / "checkpoints" / "last.ckpt"
    soundfile.write(tmp_path / "clip.wav", np.tile(speech(0), 2), RATE)
    command = [sys.executable, "-c", program, str(checkpoint), str(tmp_path / "clip.wav")]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.splitlines()[-1].split())
    assert needed <= imported and not imported & unneeded
