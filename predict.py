"""Predict which words are spoken in recordings.

python predict.py input=clip.wav    # --help has more examples and all settings
"""

from overlapped_words.cli import run
from overlapped_words.inference.predictions import predict
from overlapped_words.settings.predict import Predict

if __name__ == "__main__":
    run(predict, Predict)
