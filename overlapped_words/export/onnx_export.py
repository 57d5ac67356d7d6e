"""Export a predictor to ONNX; write the file only if its probabilities match PyTorch's."""

import json
import logging
import warnings
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import Tensor, nn

from datamodules.waveforms import NUM_SAMPLES, SAMPLE_RATE, from_int16, to_int16
from overlapped_words.errors import UserError
from overlapped_words.export.portable_features import PortableMel
from overlapped_words.inference.events import RELEASE
from overlapped_words.inference.predictor import Predictor
from overlapped_words.runs.files import write_bytes
from overlapped_words.runs.reading import read_config

TOLERANCE = 1e-4  # in probability
BATCH_SIZES = (1, 3)  # to compare with


def metadata(predictor: Predictor, checkpoints: Sequence[Path]) -> dict[str, Any]:
    """What a program that uses the file needs to know: words, sample rate, clip length, origin."""
    config = read_config(checkpoints[0].parents[1])  # empty for a checkpoint outside of a run folder
    rule = predictor.rule
    events = asdict(rule) | {"threshold": rule.thresholds(predictor.class_names).tolist(), "release": RELEASE}
    return {
        "words": predictor.class_names,
        "sample_rate": SAMPLE_RATE,
        "num_samples": NUM_SAMPLES,
        "members": len(predictor.networks),
        **({"k": predictor.k} if predictor.k else {}),
        **({"events": events} if predictor.has_events else {}),  # thresholds in the order of the words
        "recipe": config.get("name", "unknown"),
        "version": f"overlapped-words {version('overlapped-words')}",
    }


class Exported(nn.Module):
    """A predictor with the outputs of the file, called `names`."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.predictor = deepcopy(predictor).cpu().eval()
        front_ends: Any = self.predictor.front_ends
        self.predictor.front_ends = nn.ModuleList(map(PortableMel, front_ends))
        outputs = {"probs": self.predictor.to_probs}
        if predictor.k:
            if predictor.k[0] < predictor.k[1]:
                outputs["num_words"] = self.predictor.to_num_words
            outputs["presence"] = self.predictor.to_presence
        self.names, self.functions = list(outputs), list(outputs.values())

    def forward(self, waveforms: Tensor) -> tuple[Tensor, ...]:
        logits = self.predictor.to_logits(waveforms)
        return tuple(function(logits) for function in self.functions)


def to_onnx(predictor: Predictor, metadata: dict[str, Any]) -> torch.onnx.ONNXProgram:
    """Export `waveforms` (batch, NUM_SAMPLES) -> `probs` (batch, num_classes), float32, for batches of any size.

    If the number of words varies, another output is `num_words` (batch, max_k - min_k + 1), its distribution. For a
    predictor of sets, `presence` (batch, num_classes) is the probability of each word.
    """
    for name in ("torch.onnx", "onnxscript"):  # warnings about packages and operators that the graph does not need
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # from PyTorch's own calls
        exported = Exported(predictor).eval()
        program = torch.onnx.export(
            exported,
            (torch.zeros(2, NUM_SAMPLES),),  # a batch of one would fix the batch size in the graph
            input_names=["waveforms"],
            output_names=exported.names,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # it is None only without dynamo
    ClearMetadataAndDocStringPass()(program.model)  # every node's stack trace, with folders of this machine
    for name, value in metadata.items():
        program.model.metadata_props[name] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return program


def write_checked(
    program: torch.onnx.ONNXProgram, path: Path, predictor: Predictor, waveforms: dict[str, np.ndarray]
) -> float:
    """Write the file, replacing an older one. Return the largest difference in probability from PyTorch.

    Raises:
        UserError: the difference on one of the `waveforms` exceeds TOLERANCE, or the disk is full; an older file stays.
    """
    content = program.model_proto.SerializeToString()
    differences = compare(content, predictor, waveforms)
    worst = max(differences, key=differences.__getitem__)
    if not differences[worst] <= TOLERANCE:  # also true for NaN
        raise UserError(
            f"{path}: not written, its probabilities differ from PyTorch's by {differences[worst]:.1e} "
            f"({worst}), more than {TOLERANCE:.0e}; try other versions of torch and onnxruntime"
        )
    write_bytes(path, content)
    return differences[worst]


def compare(content: bytes, predictor: Predictor, waveforms: dict[str, np.ndarray]) -> dict[str, float]:
    """Name of a waveform -> the largest difference in probability between a file's content and `predictor`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()  # its own number ignores the cores that a Slurm job may use
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    inputs = np.stack(list(waveforms.values()))
    prediction = predictor.cpu().predict(torch.from_numpy(inputs))
    expected = np.column_stack([prediction.probs, *prediction.num_words.values()])
    if prediction.sets:
        expected = np.hstack([expected, prediction.sets.presence])
    largest = np.zeros(len(inputs))
    for size in BATCH_SIZES:
        batches = [inputs[start : start + size] for start in range(0, len(inputs), size)]
        columns = np.concatenate([np.hstack(session.run(None, {"waveforms": batch})) for batch in batches])
        largest = np.maximum(largest, np.abs(columns - expected).max(axis=1))
    return dict(zip(waveforms, largest.tolist(), strict=True))


def probe_waveforms() -> dict[str, np.ndarray]:
    """Names -> `(NUM_SAMPLES,)` float32 in [-1, 1]: noise, a chirp and silence.

    Noise and chirp are loud and quiet, with the faint noise of a microphone: float32 cannot resolve what lies 120 dB
    below a pure tone, and two correct implementations differ there.
    """
    rng = np.random.default_rng(0)
    t = np.arange(NUM_SAMPLES) / SAMPLE_RATE
    waveforms = {
        "noise": 0.1 * rng.standard_normal(NUM_SAMPLES),
        "chirp": 0.5 * np.sin(2 * np.pi * (100 * t + 0.2 * SAMPLE_RATE * t**2)) * np.hanning(NUM_SAMPLES),
    }
    waveforms |= {f"quiet {name}": 0.01 * waveform for name, waveform in waveforms.items()}
    waveforms = {name: waveform + 1e-3 * rng.standard_normal(NUM_SAMPLES) for name, waveform in waveforms.items()}
    waveforms["silence"] = np.zeros(NUM_SAMPLES)
    return {name: from_int16(to_int16(waveform)) for name, waveform in waveforms.items()}
