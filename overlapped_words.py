"""Predict which words are spoken in a recording. The public API.

from overlapped_words import load

model = load()                          # the network that comes with the project
model = load("outputs/demo")            # the folder of a run or a sweep, or a checkpoint
probs = model(waveform, sample_rate)    # or model("clip.wav"), or a list of either
probs.nlargest(4)
timeline = model.timeline(waveform, sample_rate, hop=0.25)
"""

from importlib.metadata import version

from errors import DataError, RunError, UserError
from inference.model import Model, load

__all__ = ["DataError", "Model", "RunError", "UserError", "__version__", "load"]
__version__ = version("overlapped-words")
