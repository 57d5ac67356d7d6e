"""Read and write ensemble.json: the members of an ensemble and the stacking weights fitted to them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import NotRequired, TypedDict

from overlapped_words.errors import RunError
from overlapped_words.runs.members import Member
from overlapped_words.runs.reading import TARGETS_OF, read_plain

if TYPE_CHECKING:
    import pandas as pd

RENEW = "run ensemble.py again, or delete the file"


@dataclass(frozen=True)
class StackingWeights:
    """Combine members as softmax(sum of weight * log(max(p, floor)) + offset of the word).

    `val_kl` (nats) is the KL divergence that stacking reaches on validation clips, each predicted with weights fitted
    on other clips; `mean_kl` is that of the members' mean on the same clips.
    """

    weights: dict[str, float]  # by member
    offsets: dict[str, float]  # by word
    floor: float
    val_kl: float
    mean_kl: float

    @property
    def better_than_mean(self) -> bool:
        return self.val_kl < self.mean_kl


class _Member(TypedDict):
    name: str
    val_predictions_sha256: str | None


class _Stacking(TypedDict):
    used: NotRequired[bool]
    taken: NotRequired[bool]  # its name in earlier versions
    weights: dict[str, float]
    offsets: dict[str, float]
    floor: float
    val_kl: float
    mean_kl: float


class _Ensemble(TypedDict):
    members: list[_Member]
    events: NotRequired[dict[str, Any] | None]
    stacking: NotRequired[_Stacking | None]
    stack: NotRequired[_Stacking | None]  # its name in earlier versions


def read_ensemble(path: Path) -> tuple[dict[str, str | None], StackingWeights | None, dict[str, Any]]:
    """Read what predict.py uses of an ensemble.json.

    Returns:
        The SHA-256 of val_predictions.csv by member, None for a member without that table; the stacking weights,
        None where ensemble.py used the mean; and the arguments of the `EventRule` that differ from its defaults.

    Raises:
        RunError: the file is damaged.
    """
    content = read_plain(path, _Ensemble, RENEW)
    fingerprints = {member["name"]: member["val_predictions_sha256"] for member in content["members"]}
    stacking, events = content.get("stacking", content.get("stack")), content.get("events") or {}
    if not stacking or not stacking.get("used", stacking.get("taken")):
        return fingerprints, None, events
    if not 0 < stacking["floor"] < 1:
        raise RunError(f"{path}: the floor of stacking is {stacking['floor']}, not between 0 and 1; {RENEW}")
    weights = StackingWeights(**{field.name: stacking[field.name] for field in fields(StackingWeights)})
    return fingerprints, weights, events


def format_ensemble(
    members: Sequence[Member],
    table: "pd.DataFrame",
    left_out: Mapping[str, str],
    stacking: StackingWeights | None = None,
    events: Mapping[str, float] | None = None,
) -> str:
    """The text of ensemble.json: members with the fingerprints of their predictions, metrics, stacking weights.

    Args:
        table: the metrics, see `overlapped_words.report.summary`.
        left_out: why members were left out, by name.
        stacking: the fitted weights, whether or not they are better than the mean.
        events: the arguments of the `EventRule` that were fitted.
    """
    content = {
        "members": [
            {name: getattr(member, name) for name in ("name", "pool", "seed", "fold")}
            | {f"{kind}_sha256": fingerprint(member.path / f"{kind}.csv") for kind in TARGETS_OF}
            for member in members
        ],
        "left_out": dict(left_out),
        "stacking": stacking and {"used": stacking.better_than_mean, **asdict(stacking)},
        "events": events,
        "metrics": json.loads(table.to_json(orient="records", double_precision=10)),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def fingerprint(table: Path) -> str | None:
    """The SHA-256 of a table, None if there is none."""
    return hashlib.sha256(table.read_bytes()).hexdigest() if table.is_file() else None
