"""Export a trained run: one ONNX file, a web page that runs it in the browser, or one safetensors file.

python export.py run_dir=outputs/demo                        # an ensemble: outputs/demo/model.onnx
python export.py run_dir=outputs/demo/avg_seed0              # one member
python export.py ckpt_path=best.ckpt output=words.onnx       # a checkpoint is enough
python export.py format=web run_dir=outputs/demo             # a folder for any web server: outputs/demo/web
python export.py format=safetensors run_dir=outputs/demo     # a file to share: outputs/demo/model.safetensors

examples/onnx_words.py is a program that uses the ONNX file. `load` and the scripts read the safetensors file.
"""

from overlapped_words.cli import run
from overlapped_words.export.export import export
from overlapped_words.settings.scripts import Export

if __name__ == "__main__":
    run(export, Export)
