"""Command lines with any value for any setting."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from overlapped_words.hydra_errors import as_message
from overlapped_words.training.components import check_components
from tests.fuzz.damage import NAMES, NUMBERS
from tests.helpers.composed import checked, configuration
from tests.helpers.fake_recordings import write_competition, write_word_folder

LINES = [
    "train",
    "train data=words data.root=words",
    "train data=competition data.root=competition augment=winner",
    "train experiment=best_words data.root=words optimizer=sgd",
    "train hydra/launcher=submitit_local augment=noise",
    "predict run_dir=words input=words",
    "ensemble run_dir=words",
    "export run_dir=words",
    "app run_dir=words",
]
WORDS = ["no", "''", "???", "${seed}", "'${nope}'", "'${'", "[]", "[1,a]", "{}", "{a:{b:1}}", "os.system", "../x"]
VALUES = st.sampled_from(WORDS) | NUMBERS.map(str) | NAMES | st.text(max_size=8)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("overrides")
    write_word_folder(folder / "words")
    write_competition(folder / "competition")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


def names(node, prefix: str = ""):
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield f"{prefix}{key}"
        if isinstance(value, dict | list):
            yield from names(value, f"{prefix}{key}.")


@given(data=st.data())
def test_an_override_is_legal_or_an_error(home: Path, data: st.DataObject):
    script, *overrides = data.draw(st.sampled_from(LINES)).split()
    config = configuration(script, *overrides, hydra=True)
    settings = [name for name in names(OmegaConf.to_container(config)) if not name.startswith("hydra")]
    for _ in range(data.draw(st.integers(1, 3))):
        sign = data.draw(st.sampled_from(["", "", "", "+", "++", "~"]))
        name = data.draw(st.sampled_from(settings) | st.text(max_size=5))
        overrides.append(sign + name + (f"={data.draw(VALUES)}" if sign != "~" else ""))
    before = sorted(home.rglob("*"))
    try:
        config = configuration(script, *overrides, hydra=True)
    except Exception:  # of any type: cli.run prints it, because the job has not started
        return
    try:
        settings = checked(script, config)
        if script == "train":
            check_components(settings)
    except Exception as error:
        message = as_message(error)
        assert message, (overrides, error)
    assert sorted(home.rglob("*")) == before
