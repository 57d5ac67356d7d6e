"""Which words are spoken in a recording? The public API.

from overlapped_words import load

model = load("outputs/demo")            # the folder of a run or a sweep, or a checkpoint
probs = model(waveform, sample_rate)    # or model("clip.wav")
probs.nlargest(4)
timeline = model.timeline(waveform, sample_rate, hop=0.25)
"""

from inference.model import Model, load

__all__ = ["Model", "load"]
