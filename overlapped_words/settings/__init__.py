"""Settings: the dataclass of each script, and the checks of a component's arguments.

conf/ alone has the default of each setting and describes it. The docstring below a field without a default is for the
error if it is not given.

Pydantic checks them, and not Hydra's structured configs: those turn `overwrite=5` and `overwrite=yes` into true,
numbers and booleans into strings, accept NaN and infinity, and know no ranges.
"""
