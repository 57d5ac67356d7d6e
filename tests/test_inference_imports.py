"""Inference imports nothing that only training, plots, reports or the page need; one clip needs no pandas either."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.helpers.fake_recordings import RATE, speech
from tests.helpers.networks import write_network
from tests.helpers.scripts import imported

TRAINING = {"lightning", "pytorch_lightning", "lightning_fabric", "torchmetrics", "tensorboard"}
REPORTS = {"plotly", "gradio", "onnx", "matplotlib"}
SCRIPTS = {"hydra", "omegaconf", "pydantic"}


@pytest.mark.parametrize(
    ("command", "unneeded"),
    [
        (["predict.py", "ckpt_path={}", "input={}", "device=cpu"], TRAINING | REPORTS | {"pandas"}),
        (["tests/helpers/timeline.py", "{}", "{}"], TRAINING | REPORTS | SCRIPTS),
    ],
    ids=["script", "API"],
)
def test_a_checkpoint_predicts_without_heavy_packages(tmp_path: Path, command: list[str], unneeded: set[str]) -> None:
    checkpoint, recording = write_network(tmp_path, "avg", 0) / "checkpoints" / "last.ckpt", tmp_path / "clip.wav"
    soundfile.write(recording, np.tile(speech(0), 2), RATE)
    script, model, audio, *options = command
    used = imported(script, model.format(checkpoint), audio.format(recording), *options)
    assert {"torch", "soundfile"} <= used and not used & unneeded
