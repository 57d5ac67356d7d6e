"""Train one member of the ensemble, or a sweep of them.

python train.py                                             # a member of the default recipe, on synthetic words
python train.py experiment=demo                             # minutes on two CPU cores
python train.py experiment=winner data.root=DIR             # the winning recipe on competition data
python train.py data=words data.root=DIR data.k=3           # a folder of your own words
python train.py -m model.pool=avg,max 'seed=range(8)'       # the sixteen members; then python ensemble.py run_dir=...
"""

import warnings

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from overlapped_words import cli


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float:
    from overlapped_words.settings import check  # Pydantic takes as long as everything else that --help imports
    from overlapped_words.settings.train import Train
    from overlapped_words.settings.unused import warn_unused

    settings = check(Train, cfg)
    warn_unused(settings)
    from overlapped_words.training.run import (
        train,  # torch and Lightning take seconds to import; check the settings first
    )

    job = HydraConfig.get()
    number = OmegaConf.select(job, "job.num", default=0)  # type: ignore[arg-type]  # missing without a sweep
    return train(settings, job.runtime.output_dir, list(job.overrides.task), number)


if __name__ == "__main__":
    # conf/hydra/launcher has files with the names of the launchers' own, which they extend. Hydra warns about that.
    warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/")
    cli.run(main)
