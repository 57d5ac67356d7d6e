"""Settings: the dataclass of each script, and the checks of a component's arguments.

Values and defaults are in conf/; no default is repeated here. The docstring below a field describes it.

Pydantic checks them, and not Hydra's structured configs: those turn `overwrite=5` and `overwrite=yes` into true,
numbers and booleans into strings, accept NaN and infinity, and know no ranges.
"""
