"""Combine the members of a sweep into a submission, and report metrics of members and ensembles.

python ensemble.py run_dir=outputs/winner
python ensemble.py run_dir=outputs/winner expect=16         # an error unless there are 16 members
python ensemble.py run_dir=outputs/winner partial=true      # use only usable members
python ensemble.py run_dir=outputs/winner combine=stacked   # weight the members, fitted on the validation clips
python ensemble.py run_dir=outputs/winner status=true       # only show the status of each member
python ensemble.py run_dir=outputs/winner html=false        # skip report.html, which needs plotly and the data
"""

import hydra
from omegaconf import DictConfig

from overlapped_words import cli


@hydra.main(version_base="1.3", config_path="conf", config_name="ensemble")
def main(cfg: DictConfig) -> None:
    from overlapped_words.report import report  # pandas takes as long as the rest of --help or of a mistyped override

    report.main(cfg)


if __name__ == "__main__":
    cli.run(main)
