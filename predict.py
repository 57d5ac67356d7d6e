"""Predict which words are spoken in recordings.

python predict.py input=clip.wav                                          # print the likely words
python predict.py run_dir=outputs/demo input=clip.wav                     # the same, by an ensemble of yours
python predict.py run_dir=outputs/demo/avg_seed0 input=folder/            # write a table, by one member
python predict.py ckpt_path=best.ckpt input=list.txt output=probs.csv     # a checkpoint is enough
python predict.py input=talk.mp3 events=true                              # which word was said when?
python predict.py run_dir=outputs/demo input=talk.mp3 hop=0.25 plot=true  # the probabilities of all words over time

Predict a large folder in eight shards, in parallel with hydra/launcher=joblib, submitit_slurm or ray:
python predict.py -m shards=8 'shard=range(8)' run_dir=outputs/demo input=folder/ output=probs.csv
"""

from overlapped_words.cli import run
from overlapped_words.inference.predict import predict
from overlapped_words.settings.scripts import Predict

if __name__ == "__main__":
    run(predict, Predict)
