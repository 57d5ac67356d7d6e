"""Settings of train.py. Those of its groups are the arguments of the classes that their `_target_` names."""

from typing import Annotated, Any, Literal

from annotated_types import Gt, Le
from pydantic import model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs
from typing_extensions import Self

from overlapped_words.settings.check import STRICT
from overlapped_words.settings.fields import Count, ExistingFile, ExistingFolder, Group, Networks, Seed, Text
from overlapped_words.settings.saved import upgrade_config

TIMELINE = 0.5  # share of the training clips


@dataclass(config=STRICT, kw_only=True)
class Train:
    """One run: the training of one member of an ensemble."""

    name: Text
    member: Text
    seed: Seed
    teacher: ExistingFolder | None
    teacher_weight: Annotated[float, Gt(0), Le(1)]
    compile: Literal["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"] | None
    initial_checkpoint: Networks | None
    threads: Literal["auto"] | Count
    ckpt_path: ExistingFile | None
    overwrite: bool
    run_dir: Text
    data: Group
    features: Group
    augment: Group
    model: Group
    optimizer: Group
    schedule: Group
    trainer: Group
    callbacks: dict[str, Group | None] | None = None
    logger: dict[str, Group | None] | None = None

    @model_validator(mode="before")
    @classmethod
    def upgrade(cls, values: ArgsKwargs) -> ArgsKwargs:
        """Files of settings may be those of earlier versions; some defaults depend on other settings."""
        return ArgsKwargs((), _choose_defaults(upgrade_config(values.kwargs or {})))

    @model_validator(mode="after")
    def check_callbacks(self) -> Self:
        callbacks = self.callbacks or {}
        for name, writes in (
            ("last", "checkpoints/last.ckpt, which resuming and predict.py need"),
            ("epoch_csv", "metrics.csv"),
        ):
            if not callbacks.get(name):
                raise ValueError(f"callbacks.{name} is null, but no other callback writes {writes}; leave it on")
        return self

    @model_validator(mode="after")
    def check_targets(self) -> Self:
        k, of_sets = self.data.get("k"), self.model.get("output") == "set"
        if of_sets and self.augment.get("mixup"):
            raise ValueError("augment.mixup mixes targets, but model.output=set needs equal shares; set it to null")
        if isinstance(k, list) and 0 in k and not of_sets:
            raise ValueError(
                f"data.k is {k}, but a softmax cannot predict that there are no words; use model.output=set"
            )
        return self


def _choose_defaults(settings: dict[str, Any]) -> dict[str, Any]:
    """data.k, data.timeline and model.output of words of one's own, which are to be found among other speech."""
    data, model = ({**settings[name]} if isinstance(settings.get(name), dict) else {} for name in ("data", "model"))
    if isinstance(data.get("words"), list) and data.get("k") is None:
        data |= {"k": [0, min(2, len(data["words"]))], "timeline": data.get("timeline") or TIMELINE}
    if model.get("output") == "auto":
        none = isinstance(data.get("k"), list) and 0 in data["k"]
        model["output"] = "set" if none else "softmax"
    return settings | {name: group for name, group in (("data", data), ("model", model)) if group}
