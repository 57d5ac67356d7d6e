"""Tables of targets and of predictions with anything in them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlapped_words.errors import RunError, UserError
from overlapped_words.runs.reading import read_epochs
from overlapped_words.tables import read_table
from tests.fuzz.damage import NAMES, damaged

TABLE = b"id,yes,no\na,0.25,0.75\nb,1,0\n"
EPOCHS = b"epoch,step,train/loss,seconds\n0,4,2.5,9\n1,8,2.1,9\n"
CELLS = NAMES | st.sampled_from(
    ["0", "1", "0.5", "1e999", "nan", "-1", "True", "0x10", '"', "=1+1", "1,5", " 1", "1_0", "id"]
)
TABLES = st.lists(st.lists(CELLS, max_size=4).map(",".join), max_size=5).map("\n".join)
CONTENTS = damaged(TABLE) | damaged(EPOCHS) | TABLES.map(lambda text: text.encode(errors="surrogatepass"))


def probs(path: Path) -> np.ndarray:
    table = read_table(path, RunError)
    assert np.allclose(table.sum(axis=1), 1, atol=2e-3)
    assert not table.index.has_duplicates and not table.columns.has_duplicates
    return table.to_numpy()


def epochs(path: Path) -> np.ndarray:
    return read_epochs(path)[["epoch", "step", "seconds"]].to_numpy()


@pytest.mark.parametrize("read", [probs, epochs])
@given(content=CONTENTS)
def test_a_table_is_read_or_an_error(tmp_path_factory, read, content: bytes):
    path = tmp_path_factory.getbasetemp() / "table.csv"
    path.write_bytes(content)
    try:
        values = read(path)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert np.isfinite(values).all()
    assert path.read_bytes() == content
