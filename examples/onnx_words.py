"""Print the likely words of a recording, with a model written by export.py.

python onnx_words.py model.onnx clip.wav

Needs onnxruntime, numpy and soundfile; neither PyTorch nor this project. Recordings are prepared as in predict.py.
"""

import json
import os
import sys

import numpy as np
import onnxruntime
import soundfile

if len(sys.argv) != 3:
    sys.exit("usage: python onnx_words.py MODEL.onnx RECORDING")
model, recording = sys.argv[1:]

options = onnxruntime.SessionOptions()
if hasattr(os, "sched_getaffinity"):  # Linux: the cores that this process may use
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
metadata = session.get_modelmeta().custom_metadata_map
words, rate, length = json.loads(metadata["words"]), int(metadata["sample_rate"]), int(metadata["num_samples"])

try:
    samples, recorded_rate = soundfile.read(recording, dtype="float32", always_2d=True)  # (T, channels)
except soundfile.LibsndfileError as error:
    sys.exit(f"{error}; give a recording such as WAV, FLAC, Ogg or MP3")
if not len(samples):
    sys.exit(f"{recording}: contains no samples; give another recording")
if not np.isfinite(samples).all():
    sys.exit(f"{recording}: has samples that are not finite numbers; replace it")
clip = samples.mean(axis=1)
energies = np.square(samples).sum(axis=0)
if samples.shape[1] == 2 and np.square(clip).sum() < 0.01 * energies.max():  # of opposite phase
    clip = samples[:, energies.argmax()]
clip /= max(1, np.abs(clip).max())

second = round(length * recorded_rate / rate)
if len(clip) > second:  # take the loudest second
    energy = np.concatenate([[0], np.cumsum(clip.astype(np.float64) ** 2)])
    start = np.argmax(energy[second:] - energy[:-second])
    print(f"only the loudest second of {len(clip) / recorded_rate:,.0f} s is used")
    clip = clip[start : start + second]

if recorded_rate != rate:  # interpolate with a windowed sinc
    cutoff = 0.99 * min(rate, recorded_rate) / recorded_rate
    width = int(np.ceil(6 / cutoff))
    times = np.arange(np.ceil(len(clip) * rate / recorded_rate)) * recorded_rate / rate  # of new samples, in old ones
    nearby = times.astype(int)[:, None] + np.arange(-width, width + 2)
    offsets = np.clip((nearby - times[:, None]) * cutoff, -6, 6)
    weights = cutoff * np.sinc(offsets) * np.cos(np.pi * offsets / 12) ** 2
    clip = (np.pad(clip, (width, width + 2))[nearby + width] * weights).sum(axis=1)[:length]

missing = length - len(clip)
clip = np.pad(clip, (missing // 2, missing - missing // 2))  # center a shorter recording
clip = np.round(clip * 32768) / 32768  # 16 bits, as in training

names = [output.name for output in session.get_outputs()]
outputs = dict(zip(names, session.run(names, {"waveforms": clip[None].astype(np.float32)}), strict=True))
presence = outputs["presence" if "presence" in outputs else "probs"][0]  # or shares, of a model without sets
order = (-outputs["probs"][0]).argsort()

sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # for consoles that cannot encode a word
if "k" in metadata:  # the model predicts the set of words, of k[0] to k[1] words
    number, share = json.loads(metadata["k"])[0], 1.0
    if "num_words" in outputs:
        best = outputs["num_words"][0].argmax()
        number, share = number + best, outputs["num_words"][0, best]
    likely = ", ".join(words[i] for i in order[:number]) or "none of the words"
    print(f"most likely: {likely} ({number} of the words: {share:.1%})")
for i in (-presence).argsort()[:5]:
    print(f"{words[i]}  {presence[i]:.1%}")
