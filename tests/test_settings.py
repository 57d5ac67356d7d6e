"""Settings of all scripts: what is wrong is one line that names the setting, before anything is made or deleted."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from overlapped_words.hydra_errors import as_message
from overlapped_words.training.components import check_components
from tests.helpers.composed import configuration, settings_of
from tests.helpers.fake_recordings import write_competition
from tests.helpers.scripts import ROOT, fresh, run

COMPETITION = "data=competition data.root=data"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data and the complete run outputs/competition/avg_seed0, with what train.py reads of it."""
    home = tmp_path_factory.mktemp("home")
    write_competition(home / "data")
    run_dir = home / "outputs" / "competition" / "avg_seed0"
    (run_dir / "checkpoints").mkdir(parents=True)
    (run_dir / "checkpoints" / "last.ckpt").write_bytes(b"weights")
    (run_dir / "metrics.json").write_text('{"status": "complete", "pool": "avg", "seed": 0, "objective": 1.0}')
    return home


def test_settings_in_conf_that_no_page_has_are_legal_and_interpolations_resolved(finished: Path, monkeypatch) -> None:
    monkeypatch.chdir(finished)
    for line in (
        "data=speech_commands",
        "augment=noise optimizer=adamw ~logger",
        f"experiment=distill {COMPETITION} teacher=data",
    ):
        check_components(settings_of("train", *line.split()))
    settings = settings_of("train", "name=w${model.width}", "model.width=7")
    monkeypatch.setenv("HOME", str(finished))
    assert settings_of("train", "data=speech_commands", "teacher='~/data'").teacher == str(finished / "data")
    assert settings.name == "w7" and OmegaConf.is_missing(configuration("train", "data=words").data, "root")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("overwrite=no", "overwrite is 'no'; it should be true or false"),
        ("seed=-1", "seed is -1; it should be greater than or equal to 0"),
        ("teacher=nix", "teacher is 'nix'; no such folder"),
        ("ckpt_path=nix", "ckpt_path is 'nix'; no such file"),
        ("name='${nope}'", "name: Interpolation key 'nope' not found"),
        ("+data.k=true", "data.k: CompetitionFolder has no such setting"),
        ("data.batch_size=0", "data.batch_size is 0; it should be greater than or equal to 1"),
        ("data.val_fraction=1", "data.val_fraction is 1; it should be less than 1"),
        ("features.n_mels=20", "model or features: RuntimeError: Given input size"),
        ("features.f_max=nan", "features.f_max is nan; it should be a finite number"),
        ("model.pool=median", "model.pool is 'median'; it should be 'avg' or 'max'"),
        ("model._target_=torch.nn.Linear", "give a subclass of Network in lightning_modules"),
        ("augment=winner augment.transforms.0.freq_masks=a", "augment.transforms.0.freq_masks is 'a'; it should be"),
        ("+augment.transforms=[{_target_:os.nix}]", "augment.transforms.0._target_ is 'os.nix'; "),
        ("optimizer.lr=-1", "optimizer.lr is -1; it should be greater than or equal to 0"),
        ("optimizer=sgd optimizer.lr=-1", "optimizer: ValueError: Invalid learning rate: -1"),
        ("+optimizer.foo=1", "optimizer.foo: Muon has no such setting"),
        ("trainer.max_epochs=many", "trainer.max_epochs is 'many'; it should be a valid integer"),
        ("+trainer.max_epoch=1", "trainer.max_epoch: Trainer has no such setting; did you mean trainer.max_epochs?"),
        ("callbacks.dashboard.num_clips=null", "callbacks.dashboard.num_clips is null; it should be a valid integer"),
        ("~callbacks.last", "callbacks.last is null"),
        ("callbacks.epoch_csv=null", "callbacks.epoch_csv is null"),
        ("trainer.precision=16-true", "trainer.precision is 16-true; features are float32, choose auto, 16-mixed"),
        ("trainer.precision=64", "trainer.precision is 64; features are float32, choose auto, 16-mixed"),
    ],
)
def test_a_wrong_setting_is_named(finished: Path, monkeypatch: pytest.MonkeyPatch, line: str, message: str) -> None:
    monkeypatch.chdir(finished)
    with pytest.raises(Exception) as caught:  # of any type: what as_message does not know is a bug
        check_components(settings_of("train", *COMPETITION.split(), *line.split()))
    assert message in as_message(caught.value)


@pytest.mark.parametrize("line", ["overwrite=no", "overwrite=true optimizer.lr=-1", "overwrite=true +trainer.foo=1"])
def test_a_wrong_setting_leaves_a_finished_run_as_it_is(finished: Path, line: str) -> None:
    files = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    printed = run("train.py", *COMPETITION.split(), *line.split(), cwd=finished, expect=1)
    assert line.split()[-1].partition("=")[0].strip("+") in printed and "Traceback" not in printed
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == files


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train.py teacher=nix", "teacher is 'nix'; no such folder"),
        ("predict.py", "input is not set; give input=..., a recording, a folder of recordings, or a"),
        ("predict.py run_dir=nix input=nix.wav", "input is 'nix.wav'; no such file or folder"),
        ("predict.py ckpt_path=nix input=nix.wav", "ckpt_path is 'nix'; no such file"),
        ("ensemble.py run_dir=nix", "nix: no such folder"),
        ("export.py ckpt_path=nix", "ckpt_path is 'nix'; no such file"),
        ("app.py run_dir=nix", "run_dir is 'nix'; no such file or folder"),
        ("app.py run_dir=. port=no", "port is 'no'; it should be a valid integer"),
    ],
)
def test_a_wrong_setting_of_a_script_is_an_error_before_torch_is_imported(tmp_path: Path, line: str, message: str):
    script, *overrides = line.split()
    for package in ("torch", "gradio", "matplotlib"):
        (tmp_path / f"{package}.py").write_text(f"raise SystemExit('{package} was imported')")
    before = sorted(tmp_path.iterdir())
    ended = fresh(ROOT / script, *overrides, cwd=tmp_path, PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert ended.returncode == 1 and message in ended.stderr and "Traceback" not in ended.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("seed=0,1", "Ambiguous value for argument 'seed=0,1'"),
        ("-m seed=0,1 --cfg job", "Only one of --run, --multirun, --cfg, --info and --shell_completion"),
        ("-m seed=range(0)", "seed=range(0): a sweep of no members"),
        ("data=5", "Config group override must be a string or a list. Got int"),
        ("experiment=wynner", "Could not find 'experiment/wynner'. Available options in 'experiment'. best. best_"),
        ("model.pool=[", "model.pool=[: not a setting"),
        ("model.poool=max", "model.poool: there is no such setting; did you mean model.pool?\n"),
        ("data=competition data.root=. data.val_size=3", "no such setting here, only with data=speech_commands or"),
        ("experiment=winner", "data.root is not set; give data.root=..."),
        ("experiment=distill data.root=.", "teacher is not set; give teacher=..."),
        ("hydra.hydra_logging.root=a", "hydra.hydra_logging.root=a: Unable to configure root logger"),
    ],
)
def test_what_hydra_rejects_is_one_line(tmp_path: Path, line: str, message: str) -> None:
    printed = run("train.py", *line.split(), cwd=tmp_path, expect=1)
    assert message in printed and printed.count("\n") == 1
    assert not list(tmp_path.iterdir())
