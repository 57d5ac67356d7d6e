"""Inference imports torch, pandas and soundfile, but nothing that only training, plots, reports or the page need."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from tests.helpers.fake_recordings import RATE, speech
from tests.helpers.networks import write_network
from tests.helpers.scripts import ENVIRONMENT, ROOT

PROGRAM = """
import sys
from overlapped_words import load

checkpoint, recording = sys.argv[1:]
load(checkpoint, "cpu").timeline(recording)
print(*sorted({name.partition(".")[0] for name in sys.modules}))

from predict import predict
from tests.helpers.composed import settings_of

predict(settings_of("predict", f"ckpt_path={checkpoint}", f"input={recording}", "device=cpu"))
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
TRAINING = {"lightning", "pytorch_lightning", "lightning_fabric", "torchmetrics", "tensorboard"}
REPORTS = {"plotly", "gradio", "onnx", "matplotlib"}
SCRIPTS = {"hydra", "omegaconf", "pydantic"}


def test_a_checkpoint_predicts_without_lightning(tmp_path: Path) -> None:
    checkpoint = write_network(tmp_path, "avg", 0) / "checkpoints" / "last.ckpt"
    soundfile.write(tmp_path / "clip.wav", np.tile(speech(0), 2), RATE)
    command = [sys.executable, "-c", PROGRAM, str(checkpoint), str(tmp_path / "clip.wav")]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    by_api, by_script = set(lines[0].split()), set(lines[-1].split())
    assert {"torch", "pandas", "soundfile"} <= by_api and "hydra" in by_script
    assert not by_api & (TRAINING | REPORTS | SCRIPTS)
    assert not by_script & (TRAINING | REPORTS)
