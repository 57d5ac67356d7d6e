"""The source of the clips: which class loads them, with which of the settings in `data`."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from overlapped_words.errors import RunError
from overlapped_words.settings.check import message, show
from overlapped_words.settings.data import Data, Loading

CONF = Path(__file__).parents[2] / "conf" / "data"


def source_config(data: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of `data` for its source's constructor: all but those that say how clips are loaded."""
    loading = {field.name for field in fields(Loading)}
    return {name: value for name, value in data.items() if name not in loading} | data["source"]


def trusted_source(config: Mapping[str, Any], path: str) -> dict[str, Any]:
    """`source_config` of a run's configuration in the file `path`, which may come from elsewhere and name any class.

    Raises:
        RunError: its source is no class that conf/data of this checkout names, or an argument has a wrong type.
    """
    data = config.get("data")
    data = data if isinstance(data, dict) else {}
    source = data.get("source")
    source = source if isinstance(source, dict) else {}
    target = source.get("_target_")
    if not isinstance(target, str) or target not in _known_sources():
        raise RunError(f"{path}: data.source._target_ is {show(target)}, which no file in conf/data names")
    # Runs of earlier versions have the arguments below `source` too.
    values = {name: source.get(name, value) for name, value in data.items()} | {"source": {"_target_": target}}
    try:
        TypeAdapter(Data).validate_python(values)
    except ValidationError as error:
        # A setting that came later is not in the files of earlier runs.
        faults = [fault for fault in error.errors(include_url=False) if fault["type"] != "missing"]
        if faults:
            raise RunError(f"{path}: {message(faults[0], values, 'data.')}") from error
    return source_config(data)


def _known_sources() -> set[str]:
    configs = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in CONF.glob("*.yaml"))
    return {config["source"]["_target_"] for config in configs if "source" in config}
