"""Write docs/settings.md, the table of all settings: python docs/settings.py

Descriptions come from overlapped_words/settings/, values from conf/.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from overlapped_words.settings.features import MultiResolutionMel  # noqa: E402
from overlapped_words.settings.trainer import Trainer  # noqa: E402

from overlapped_words.settings import augment, data, model, optimizer  # noqa: E402
from overlapped_words.settings.app import App  # noqa: E402
from overlapped_words.settings.ensemble import Ensemble  # noqa: E402
from overlapped_words.settings.export import Export  # noqa: E402
from overlapped_words.settings.predict import Predict  # noqa: E402
from overlapped_words.settings.train import Schedule, Train  # noqa: E402

INTRO = """# All settings

Which settings are there, and what are their values? Give any of them on the command line, as `name=value`; a group's
settings with the group's name in front, `data.k=3`. Lists and null are written `[1,2]` and `null`. A wrong type, range
or path is an error that names the setting. "required" means that the setting has no value of its own.

`python docs/settings.py` writes this page from [overlapped_words/settings/](../settings) and [conf/](../conf).
"""
GROUPS = ("data", "features", "augment", "model", "optimizer", "schedule", "trainer", "callbacks", "logger")
# Title, dataclass, the overrides that compose it, and its name in that configuration.
TRAIN: list[tuple[str, type, list[str], str]] = [
    ("train.py", Train, [], ""),
    ("data=synthetic", data.Synthetic, ["data=synthetic"], "data"),
    ("data=words", data.Words, ["data=words"], "data"),
    ("data=speech_commands", data.SpeechCommands, ["data=speech_commands"], "data"),
    ("data=competition", data.Competition, ["data=competition"], "data"),
    ("features", MultiResolutionMel, [], "features"),
    ("augment: SpecAugment", augment.SpecAugment, ["augment=winner"], "augment.transforms.0"),
    ("augment: RandomCrop", augment.RandomCrop, ["augment=winner"], "augment.transforms.1"),
    ("augment: Mixup", augment.Mixup, ["augment=winner"], "augment.mixup"),
    ("augment: RandomWarp", augment.RandomWarp, ["augment=warp"], "augment.transforms.0"),
    ("augment: AddNoise", augment.AddNoise, ["augment=noise"], "augment.waveforms.0"),
    ("model=mac", model.MAC, [], "model"),
    ("optimizer=muon", optimizer.Muon, ["optimizer=muon"], "optimizer"),
    ("optimizer=adamw", optimizer.AdamW, ["optimizer=adamw"], "optimizer"),
    ("optimizer=sgd", optimizer.SGD, ["optimizer=sgd"], "optimizer"),
    ("schedule", Schedule, [], "schedule"),
    ("trainer", Trainer, [], "trainer"),
]
OTHERS: list[tuple[str, type]] = [("predict", Predict), ("ensemble", Ensemble), ("export", Export), ("app", App)]


def page() -> str:
    """The content of docs/settings.md."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        tables = [
            table(title, schema, part(compose("train", given), name), name) for title, schema, given, name in TRAIN
        ]
        tables += [table(f"{script}.py", schema, compose(script), "") for script, schema in OTHERS]
    return "\n".join([INTRO, *tables])


def part(cfg: DictConfig, name: str) -> DictConfig:
    """The settings at a dotted name, such as augment.transforms.0."""
    for key in filter(None, name.split(".")):
        cfg = cfg[int(key)] if key.isdigit() else cfg[key]
    return cfg


def table(title: str, schema: Any, cfg: DictConfig, prefix: str) -> str:
    """A section with a row for each setting of a dataclass."""
    values: Any = OmegaConf.to_container(cfg, resolve=False)
    about = "" if (schema.__doc__ or "").startswith(f"{schema.__name__}(") else (schema.__doc__ or "").strip()
    lines = [f"## {title}", "", *([about, ""] if about else []), "| setting | value | |", "|---|---|---|"]
    for name, description in described(schema):
        text = shown(values[name]) if name in values else "none"
        lines.append(f"| `{prefix}{'.' * bool(prefix)}{name}` | {text} | {description} |")
    return "\n".join([*lines, ""])


def described(schema: Any) -> Iterator[tuple[str, str]]:
    """Name and description of a dataclass's settings, without its groups and targets."""
    for name in schema.__pydantic_fields__:
        if name not in GROUPS and name not in ("_target_", "source"):
            # A subclass inherits fields, but not their descriptions.
            bases = [base.__pydantic_fields__.get(name) for base in schema.__mro__[:-1]]
            yield name, next((field.description for field in bases if field and field.description), "")


def shown(value: Any) -> str:
    """A value as it is typed."""
    if value == "???":
        return "required"
    if value is None or isinstance(value, bool):
        return f"`{'null' if value is None else str(value).lower()}`"
    if isinstance(value, list | dict):
        return "see conf" if any(isinstance(item, dict) for item in value) else f"`{value}`"
    return f"`{value}`".replace("|", "\\|") if value != "" else "empty"


if __name__ == "__main__":
    (ROOT / "docs" / "settings.md").write_text(page(), encoding="utf-8")
