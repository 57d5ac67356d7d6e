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
    ("command", "needed", "unneeded"),
    [
        (
            "predict.py ckpt_path=CHECKPOINT input=RECORDING device=cpu",
            {"torch", "soundfile", "hydra"},
            TRAINING | REPORTS | {"pandas"},
        ),
        (
            "tests/helpers/timeline.py CHECKPOINT RECORDING",
            {"torch", "soundfile", "pandas"},
            TRAINING | REPORTS | SCRIPTS,
        ),
    ],
    ids=["script", "API"],
)
def test_a_checkpoint_predicts_without_heavy_packages(
    tmp_path: Path, command: str, needed: set[str], unneeded: set[str]
) -> None:
    checkpoint, recording = write_network(tmp_path, "avg", 0) / "checkpoints" / "last.ckpt", tmp_path / "clip.wav"
    soundfile.write(recording, np.tile(speech(0), 2), RATE)
    used = imported(*command.replace("CHECKPOINT", str(checkpoint)).replace("RECORDING", str(recording)).split())
    assert needed <= used and not used & unneeded
