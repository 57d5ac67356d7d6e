"""The likely words of a recording, from the file that export.py made: python onnx_words.py model.onnx clip.wav

Needs onnxruntime, numpy and soundfile; neither PyTorch nor this project.
"""

import json
import sys

import numpy as np
import onnxruntime
import soundfile

model, recording = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
metadata = session.get_modelmeta().custom_metadata_map
words, num_samples = json.loads(metadata["words"]), int(metadata["num_samples"])

samples, sample_rate = soundfile.read(recording, dtype="float32", always_2d=True)
if sample_rate != int(metadata["sample_rate"]):
    sys.exit(f"{recording}: {sample_rate} Hz; convert it to {metadata['sample_rate']} Hz")
waveform = samples.mean(axis=1)[:num_samples]  # mono, the first second ...
waveform = np.pad(waveform, (0, num_samples - len(waveform)))  # ... or silence behind

(probs,) = session.run(["probs"], {"waveforms": waveform[None]})
for i in (-probs[0]).argsort()[:5]:
    print(f"{words[i]}  {probs[0, i]:.1%}")
