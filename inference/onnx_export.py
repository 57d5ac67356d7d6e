"""A predictor as one ONNX file, which gets its name only once it gives PyTorch's probabilities."""

import logging
import os
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import onnxruntime
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import nn

from errors import UserError
from inference.predictor import Predictor

TOLERANCE = 1e-4  # in probability
BATCHES = (1, 3)  # to compare in


def to_onnx(predictor: Predictor, metadata: dict[str, str]) -> torch.onnx.ONNXProgram:
    """The graph `waveforms` (batch, num_samples) -> `probs` (batch, num_classes), float32, for batches of any size."""
    portable = deepcopy(predictor).cpu().eval()
    front_ends: Any = portable.front_ends
    portable.front_ends = nn.ModuleList(front_end.without_fft() for front_end in front_ends)
    for name in ("torch.onnx", "onnxscript"):  # warnings about packages and operators that the graph does not need
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PyTorch's own calls
        program = torch.onnx.export(
            portable,
            (torch.zeros(2, predictor.num_samples),),  # a batch of one would fix the batch size in the graph
            input_names=["waveforms"],
            output_names=["probs"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # it is None only without dynamo
    ClearMetadataAndDocStringPass()(program.model)  # every node's stack, with the folders of this machine
    program.model.metadata_props.update(metadata)
    return program


def write_checked(
    program: torch.onnx.ONNXProgram, path: Path, predictor: Predictor, sounds: dict[str, np.ndarray]
) -> float:
    """Writes the file, in place of an older one, and returns the largest difference in probability to PyTorch.

    Raises:
        UserError: the difference on one of the `sounds` is over TOLERANCE; nothing is written then.
        OSError: no room, or no permission.
    """
    temporary = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
    try:
        program.save(temporary, external_data=False)
        differences = compare(temporary, predictor, sounds)
        worst = max(differences, key=differences.__getitem__)
        if not differences[worst] <= TOLERANCE:  # a NaN is no agreement
            raise UserError(
                f"{path}: not written, its probabilities differ from PyTorch's by {differences[worst]:.1e} "
                f"({worst}), more than {TOLERANCE:.0e}; try other versions of torch and onnxruntime"
            )
        os.replace(temporary, path)
        return differences[worst]
    finally:
        temporary.unlink(missing_ok=True)


def compare(path: Path, predictor: Predictor, sounds: dict[str, np.ndarray]) -> dict[str, float]:
    """Sound -> the largest difference in probability between the file and `predictor`, over BATCHES."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    waveforms = np.stack(list(sounds.values()))
    wanted = predictor.cpu()(torch.from_numpy(waveforms)).numpy()
    worst = np.zeros(len(sounds))
    for size in BATCHES:
        batches = [waveforms[start : start + size] for start in range(0, len(waveforms), size)]
        probs = np.concatenate([session.run(["probs"], {"waveforms": batch})[0] for batch in batches])
        worst = np.maximum(worst, np.abs(probs - wanted).max(axis=1))
    return dict(zip(sounds, worst.tolist(), strict=True))
