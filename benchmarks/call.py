"""Run one function of a benchmark and print the clips/s that it measures.

python -m benchmarks.call default.training FOLDER '["bf16-mixed"]'
"""

import json
import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    name, folder, arguments = sys.argv[1:]
    module, function = name.split(".")
    print("rate", getattr(import_module(f"benchmarks.{module}"), function)(Path(folder), *json.loads(arguments)))
