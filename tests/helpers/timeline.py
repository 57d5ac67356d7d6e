"""Predict a recording by the Python API.

python -m tests.helpers.timeline CHECKPOINT RECORDING
"""

import sys

from overlapped_words import load

if __name__ == "__main__":
    print(load(sys.argv[1], "cpu").timeline(sys.argv[2]))
