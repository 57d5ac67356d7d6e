"""Predict a recording by the Python API; benchmarks.start measures this process.

python -m benchmarks.load_and_call CHECKPOINT RECORDING
"""

import sys

from overlapped_words import load

if __name__ == "__main__":
    load(sys.argv[1])(sys.argv[2])
