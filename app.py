"""Serve a web page for a network: record or upload audio, listen live, mix words, record words to train on.

python app.py                                     # the network that comes with the project
python app.py run_dir=outputs/demo                # the ensemble of a sweep
python app.py run_dir=outputs/demo/avg_seed0      # one member

The page is served to this computer only; recordings are kept in record_dir alone. Needs pip install -e '.[app]'.
"""

from overlapped_words.app.server import serve
from overlapped_words.cli import run
from overlapped_words.settings.scripts import App

if __name__ == "__main__":
    run(serve, App)
