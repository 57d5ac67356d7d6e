"""Checkpoints of which bytes or arguments are others."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from overlapped_words.errors import UserError
from overlapped_words.inference.predictor import load_predictor
from tests.fuzz.damage import changed, damaged
from tests.helpers.networks import write_network


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("fuzz"), "avg", 0) / "checkpoints" / "last.ckpt"


@given(data=st.data())
def test_a_checkpoint_of_other_bytes_predicts_or_is_an_error(checkpoint: Path, data: st.DataObject):
    check(checkpoint.with_name("damaged.ckpt"), data.draw(damaged(checkpoint.read_bytes())))


@given(data=st.data())
def test_a_checkpoint_of_other_arguments_predicts_or_is_an_error(checkpoint: Path, data: st.DataObject):
    content = torch.load(checkpoint, weights_only=True)
    content["hyper_parameters"] = data.draw(changed(content["hyper_parameters"]))
    path = checkpoint.with_name("changed.ckpt")
    torch.save(content, path)
    check(path, path.read_bytes())


def check(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        predictor = load_predictor([path], device="cpu")
        probs = predictor(torch.zeros(1, 16_000))
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert probs.shape == (1, len(predictor.class_names))
    assert path.read_bytes() == content
