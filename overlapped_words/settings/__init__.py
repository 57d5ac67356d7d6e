"""The types of all settings: a file for each config group or script, a dataclass for each option.

Pydantic checks them, and not Hydra's structured configs: those turn `overwrite=5` and `overwrite=yes` into true,
numbers and booleans into strings, accept NaN and infinity, and know no ranges.

Values and defaults are in conf/; no default is repeated here. The docstring below a field describes it.
"""

from overlapped_words.settings.check import as_dict, blame, check

__all__ = ["as_dict", "blame", "check"]
