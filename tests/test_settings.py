"""Every setting of every script, with valid and invalid values."""

import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf, read_write

import overlapped_words.training.sweep  # noqa: F401  registers the resolver member_name
from overlapped_words.errors import SettingError
from overlapped_words.settings import fields
from overlapped_words.settings.callback import hydra_config
from overlapped_words.settings.check import check, resolve, validate
from overlapped_words.settings.hydra import Hydra
from tests.helpers.composed import configuration, schema
from tests.helpers.scripts import ENVIRONMENT, ROOT, run
from tests.helpers.small_runs import write_finished

WRONG = ["abc", "", " ", math.nan, math.inf, -1, -0.5, 10**400, [], [1, "a"], {}, {"a": {"b": 1}}, None, True, False]

LINES = [
    "train",
    "train data=words data.root=WORDS",
    "train data=competition data.root=COMPETITION",
    "train data=speech_commands",
    "train augment=noise",
    "train optimizer=adamw",
    "train hydra/launcher=joblib",
    "train hydra/launcher=submitit_local",
    "train hydra/launcher=submitit_slurm",
    "train logger=wandb",
    "train logger=mlflow",
    "train experiment=best data.root=COMPETITION",
    "train experiment=best_words data.root=WORDS",
    "train experiment=winner data.root=COMPETITION",
    "train experiment=demo",
    "train experiment=smoke",
    "train experiment=distill data.root=COMPETITION teacher=WORDS",
    "train experiment=distill_words data.root=WORDS teacher=WORDS",
    "predict run_dir=WORDS input=WORDS",
    "ensemble run_dir=WORDS",
    "export run_dir=WORDS",
    "app run_dir=WORDS",
]


@pytest.fixture
def compose(words: Path, competition: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch):
    """A command line -> what Hydra composes."""
    monkeypatch.setattr(shutil, "which", lambda name: name)  # a login node of a cluster
    monkeypatch.setattr(fields, "distribution", str)  # all packages are installed

    def compose(line: str) -> tuple[Any, DictConfig]:
        script, *overrides = line.replace("WORDS", str(words)).replace("COMPETITION", str(competition)).split()
        if script == "train":
            overrides.append(f"data.cache_dir={cache_dir}")
        cfg = configuration(script, *overrides, hydra=True)
        with read_write(cfg.hydra):
            cfg.hydra.job.num, cfg.hydra.job.id, cfg.hydra.runtime.output_dir = 0, "0", "outputs"
        return schema(script), cfg

    return compose


def places(values: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each setting in plain values, groups included: its name, and the container and key it is at."""
    for key in values if isinstance(values, dict) else range(len(values)):
        path = f"{name}.{key}" if name else str(key)
        yield path, values, key
        if isinstance(values[key], dict | list):
            yield from places(values[key], path)


def check_all(settings: type, cfg: DictConfig) -> None:
    """Each setting with each value is legal or an error that names it."""
    with hydra_config(cfg):
        task = resolve(OmegaConf.masked_copy(cfg, [str(name) for name in cfg if name != "hydra"]))
        hydra = {name: resolve(cfg.hydra)[name] for name in Hydra.__dataclass_fields__}
    for part, values, prefix in ((settings, task, ""), (Hydra, hydra, "hydra.")):
        validate(part, values, prefix)
        count = 0
        for name, container, key in list(places(values)):
            before = container[key]
            for container[key] in WRONG:
                count += 1
                try:
                    validate(part, values, prefix)
                except SettingError as error:
                    named = name.removeprefix("job_logging.").rstrip(".0123456789")
                    assert named in str(error) or f"{key}=" in str(error), f"{name}={container[key]!r}: {error}"
            container[key] = before
        assert count


@pytest.mark.parametrize("line", LINES)
def test_every_setting_is_checked(compose, line: str):
    check_all(*compose(line))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+augment.transforms.0.freq_width=3", "augment.transforms.0.freq_width was renamed; use freq_mask_param"),
        ("+augment.transforms.0.time_width=3", "augment.transforms.0.time_width was renamed; use time_mask_param"),
        ("+callbacks.history=null", "callbacks.history was renamed; use callbacks.epoch_csv"),
        (
            "+callbacks.teacher.weight=0.5",
            "callbacks.teacher was renamed; use teacher=FOLDER and teacher_weight=",
        ),
        (
            "trainer.plugins=[{_target_:lightning_modules.checkpoint.WholeCheckpointIO}]",
            "trainer.plugins.0._target_ is 'lightning_modules.checkpoint.WholeCheckpointIO', which was renamed; "
            "use overlapped_words.training.checkpoint_io.AtomicCheckpointIO",
        ),
        (
            "callbacks.dashboard._target_=lightning_modules.dashboard.Dashboard",
            "callbacks.dashboard._target_ is 'lightning_modules.dashboard.Dashboard', which was renamed; "
            "use overlapped_words.training.dashboard.Dashboard",
        ),
    ],
)
def test_the_error_of_an_old_name_states_the_new_name(compose, override: str, message: str):
    schema, cfg = compose(f"train augment=winner {override}")
    task = OmegaConf.masked_copy(cfg, [str(name) for name in cfg if name != "hydra"])
    with hydra_config(cfg), pytest.raises(SettingError, match=f"^{re.escape(message)}"):
        check(schema, task)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_finished(tmp_path_factory.mktemp("home"))


def files(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("multirun", [[], ["-m", "seed=0,1"]])
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("overwrite=no", "overwrite is 'no'; give true or false"),
        ("overwrite=5", "overwrite is 5; give true or false"),
        ("model.residual=no", "model.residual is 'no'; give true or false"),
        ("+data.k=true", "data.k is true; there is no such setting, leave it out"),
        ("model.pool=median", "model.pool is 'median'; choose avg or max"),
        ("optimizer.lr=nan", "optimizer.lr is nan; give a number above 0"),
        ("trainer.max_epochs=-1", "trainer.max_epochs is -1; give a whole number from 1 to 1000000"),
        ("hydra.sweep.subdir=''", "hydra.sweep.subdir is not set; give hydra.sweep.subdir=..."),
        ("name='${nope}'", "name: Interpolation key 'nope' not found"),
        ("data=5", "Config group override must be a string or a list. Got int"),
    ],
)
def test_a_wrong_setting_leaves_a_finished_run_as_it_is(finished: Path, multirun, override: str, message: str):
    before = files(finished)
    printed = run("train.py", *multirun, "data=competition", "data.root=data", override, cwd=finished, expect=1)
    assert message in printed and "Traceback" not in printed
    assert files(finished) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train.py data=words data.root=nix", "data.root is 'nix'; no such folder"),
        ("train.py teacher=nix model.width=a", "model.width is 'a'; give a whole number from 1 to 512"),
        ("predict.py run_dir=nix input=nix.wav", "input is 'nix.wav'; no such file or folder"),
        ("predict.py ckpt_path=nix input=nix.wav", "ckpt_path is 'nix'; no such file"),
        ("ensemble.py run_dir=nix", "nix"),
        ("export.py run_dir=nix", "run_dir is 'nix'; no such file or folder"),
        ("app.py run_dir=nix", "run_dir is 'nix'; no such file or folder"),
        ("app.py run_dir=. port=no", "port is 'no'; give a whole number from 1 to 65535"),
    ],
)
def test_a_wrong_setting_is_an_error_before_torch_is_imported(tmp_path: Path, line: str, message: str):
    script, *overrides = line.split()
    (tmp_path / "torch.py").write_text("raise SystemExit('torch is imported')")
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    ended = subprocess.run(
        [sys.executable, str(ROOT / script), *overrides], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 1 and message in ended.stderr and "Traceback" not in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["torch.py"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("model.poool=max", "Could not override 'model.poool'. To append to your config use +model.poool=max."),
        ("seed=0,1", "Ambiguous value for argument 'seed=0,1'."),
        ("-m seed=0,1 --cfg job", "Only one of --run, --multirun, --cfg, --info and --shell_completion"),
        ("-m seed=range(0)", "seed=range(0): a sweep of no members"),
        ("experiment=wynner", "experiment=wynner: there is no such option; choose one of best, best_words, demo"),
        ("experiment=small", "experiment=small was removed; use experiment=best"),
        ("augment=light", "augment=light was removed; use augment=warp"),
        ("-m augment=warp,light", "augment=light was removed; use augment=warp"),
        ("data=wrds", "data=wrds: there is no such option; choose one of competition, speech_commands"),
        ("model.pool=[", "model.pool=[: not a setting"),
        ("hydra.hydra_logging.root=a", "hydra.hydra_logging.root=a: Unable to configure root logger"),
    ],
)
def test_what_hydra_rejects_is_one_line(tmp_path: Path, line: str, message: str):
    printed = run("train.py", *line.split(), cwd=tmp_path, expect=1)
    assert message in printed and printed.count("\n") == 1
    assert not list(tmp_path.iterdir())
