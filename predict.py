"""Predict which words are spoken in recordings.

python predict.py input=clip.wav                                          # print the likely words
python predict.py run_dir=outputs/demo input=clip.wav                     # the same, by an ensemble of yours
python predict.py run_dir=outputs/demo/avg_seed0 input=folder/            # write a table, by one member
python predict.py ckpt_path=best.ckpt input=list.txt output=probs.csv     # a checkpoint is enough
python predict.py run_dir=outputs/demo input=talk.mp3 hop=0.25 plot=true  # when is which word spoken?

Predict a large folder in eight shards, in parallel with hydra/launcher=joblib, submitit_slurm or ray:
python predict.py -m shards=8 'shard=range(8)' run_dir=outputs/demo input=folder/ output=probs.csv
"""

import warnings
from pathlib import Path

from overlapped_words.cli import run
from overlapped_words.inference.inputs import find_inputs
from overlapped_words.inference.outputs import check_writable, plot_paths
from overlapped_words.settings.predict import Predict


def predict(cfg: Predict) -> None:
    """Print the likely words of one recording, or write a table of probabilities, or one shard of it.

    Raises:
        UserError: a setting, a path or a recording that cannot be used; nothing is written.
    """
    inputs = find_inputs(Path(cfg.input))
    output = Path(cfg.output or ("predictions.csv" if cfg.hop is None else "timeline.csv"))
    plots = plot_paths(output, inputs) if cfg.plot else []
    words_only = inputs.alone and cfg.output is None and cfg.hop is None
    if cfg.shards == 1 and not words_only:
        check_writable(output, plots, cfg.overwrite)
    from overlapped_words.inference import predictions  # torch takes seconds to import; check the paths first

    predictions.run(cfg, inputs, None if words_only else output, plots)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/")  # as in train.py
    run(predict, Predict)
