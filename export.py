"""Export a trained run: one ONNX file, a web page that runs it in the browser, or one safetensors file.

python export.py run_dir=outputs/demo    # --help has more examples and all settings

examples/onnx_words.py is a program that uses the ONNX file. `load` and the scripts read the safetensors file.
"""

from overlapped_words.cli import run
from overlapped_words.export.export import export
from overlapped_words.settings.predict import Export

if __name__ == "__main__":
    run(export, Export)
