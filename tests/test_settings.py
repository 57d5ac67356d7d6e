"""Settings of all scripts: what is wrong is one line that names the setting, before anything is made or deleted."""

import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from overlapped_words.settings.check import warn_unused
from overlapped_words.training.components import check_components
from tests.helpers.composed import configuration, settings_of
from tests.helpers.scripts import ENVIRONMENT, ROOT, run
from tests.helpers.small_runs import write_finished

COMPETITION = "data=competition data.root=data"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a competition in data/ and a complete run of train.py."""
    return write_finished(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize(
    "line",
    [
        "train",
        f"train {COMPETITION}",
        "train data=words data.root=data",
        "train data=speech_commands",
        "train augment=noise optimizer=adamw ~logger",
        f"train experiment=best {COMPETITION}",
        "train experiment=best_words data.root=data",
        f"train experiment=winner {COMPETITION}",
        "train experiment=demo",
        f"train experiment=distill {COMPETITION} teacher=data",
        "train experiment=distill_words data.root=data teacher=data",
        "train experiment=pretrained data.root=data",
    ],
)
def test_the_settings_in_conf_are_legal(finished: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.chdir(finished)
    script, *overrides = line.split()
    check_components(settings_of(script, *overrides))


def files(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("overwrite=no", "overwrite is 'no'; it should be true or false"),
        ("overwrite=5", "overwrite is 5; it should be true or false"),
        ("seed=-1", "seed is -1; it should be greater than or equal to 0"),
        ("teacher=nix", "teacher is 'nix'; no such folder"),
        ("ckpt_path=nix", "ckpt_path is 'nix'; no such file"),
        ("name='${nope}'", "name: Interpolation key 'nope' not found"),
        ("data=5", "Config group override must be a string or a list. Got int"),
        ("+data.k=true", "data.k: CompetitionFolder has no such setting"),
        ("data.batch_size=0", "data.batch_size is 0; it should be greater than or equal to 1"),
        ("data.val_fraction=1", "data.val_fraction is 1; it should be less than 1"),
        ("features.f_max=nan", "features.f_max is nan; it should be a finite number"),
        ("model.residual=no", "model.residual is 'no'; it should be true or false"),
        ("model.pool=median", "model.pool is 'median'; it should be avg or max"),
        ("model._target_=torch.nn.Linear", "give a subclass of Network in lightning_modules"),
        ("augment=winner augment.transforms.0.freq_masks=a", "augment.transforms.0.freq_masks is 'a'; it should be"),
        ("+augment.transforms=[{_target_:os.nix}]", "augment.transforms.0._target_ is 'os.nix'; "),
        ("optimizer.lr=inf", "optimizer.lr is inf; it should be a finite number"),
        ("optimizer.lr=-1", "optimizer.lr is -1; it should be greater than 0"),
        ("optimizer=sgd optimizer.lr=-1", "optimizer: ValueError: Invalid learning rate: -1"),
        ("+optimizer.foo=1", "optimizer.foo: Muon has no such setting"),
        ("schedule.warmup=1", "schedule.warmup is 1; it should be less than 1"),
        ("trainer.max_epochs=many", "trainer.max_epochs is 'many'; it should be a valid integer"),
        ("+trainer.foo=1", "trainer.foo: Trainer has no such setting"),
        ("callbacks.dashboard.num_clips=null", "callbacks.dashboard.num_clips is null; it should be a valid integer"),
        ("~callbacks.last", "callbacks.last is null"),
        ("model.name=mac", "model.name was renamed; use model._target_="),
    ],
)
def test_a_wrong_setting_leaves_a_finished_run_as_it_is(finished: Path, override: str, message: str) -> None:
    before = files(finished)
    printed = run("train.py", *COMPETITION.split(), *override.split(), cwd=finished, expect=1)
    assert message in printed and "Traceback" not in printed
    assert files(finished) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train.py teacher=nix", "teacher is 'nix'; no such folder"),
        ("predict.py run_dir=nix input=nix.wav", "input is 'nix.wav'; no such file or folder"),
        ("predict.py ckpt_path=nix input=nix.wav", "ckpt_path is 'nix'; no such file"),
        ("ensemble.py run_dir=nix", "nix: no such folder"),
        ("export.py run_dir=nix", "run_dir is 'nix'; no such file or folder"),
        ("app.py run_dir=nix", "run_dir is 'nix'; no such file or folder"),
        ("app.py run_dir=. port=no", "port is 'no'; it should be a valid integer"),
    ],
)
def test_a_wrong_setting_of_a_script_is_an_error_before_torch_is_imported(tmp_path: Path, line: str, message: str):
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
        ("seed=0,1", "Ambiguous value for argument 'seed=0,1'"),
        ("-m seed=0,1 --cfg job", "Only one of --run, --multirun, --cfg, --info and --shell_completion"),
        ("-m seed=range(0)", "seed=range(0): a sweep of no members"),
        ("experiment=wynner", "experiment=wynner: there is no such option; choose one of best, best_words, demo"),
        ("experiment=small", "experiment=small was removed; use experiment=best"),
        ("-m augment=warp,light", "augment=light was removed; use augment=warp"),
        ("model.pool=[", "model.pool=[: not a setting"),
        ("hydra.hydra_logging.root=a", "hydra.hydra_logging.root=a: Unable to configure root logger"),
    ],
)
def test_what_hydra_rejects_is_one_line(tmp_path: Path, line: str, message: str) -> None:
    printed = run("train.py", *line.split(), cwd=tmp_path, expect=1)
    assert message in printed and printed.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "warnings"),
    [
        ("train data.val_fraction=0 data.val_size=5", ["data.val_size has no effect: data.val_fraction is 0"]),
        (
            "train data=words data.root=data data.submission=data data.test_size=5 data.test_fraction=0.1",
            [
                f"data.{name} has no effect: data.submission is the test split"
                for name in ("test_fraction", "test_size")
            ],
        ),
        ("train teacher_weight=0.5", ["teacher_weight has no effect: teacher is null"]),
        ("train ~logger callbacks.dashboard.num_clips=1", ["callbacks.dashboard.num_clips has no effect: there is"]),
        ("train data.val_size=5 data.curriculum=0.5", []),
        ("predict run_dir=data input=data output=a.csv top=3", ["top has no effect: it is for the words of one"]),
        ("ensemble run_dir=data status=true html=false", ["html has no effect: status=true writes nothing"]),
    ],
)
def test_a_setting_without_effect_is_a_warning(
    finished: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, line: str, warnings: list[str]
) -> None:
    monkeypatch.chdir(finished)
    script, *overrides = line.split()
    warn_unused(settings_of(script, *overrides), overrides)
    found = [record.getMessage() for record in caplog.records]
    assert len(found) == len(warnings)
    assert all(message.startswith(warning) for message, warning in zip(found, warnings, strict=True))


def test_interpolations_of_the_command_line_are_resolved(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished)
    settings = settings_of("train", "name=w${model.width}", "model.width=7")
    assert settings.name == "w7" and OmegaConf.is_missing(configuration("train", "data=words").data, "root")
