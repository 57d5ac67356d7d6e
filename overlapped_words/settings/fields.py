"""The kinds of values that settings have, each with the sentence that an error ends with."""

import os
import re
from collections.abc import Callable
from importlib.metadata import distribution
from typing import Annotated, Any

from pydantic import ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core import core_schema as core

from overlapped_words.settings.targets import find_target

OPEN = ConfigDict(extra="allow", use_attribute_docstrings=True)  # `+group.name=value` reaches a constructor
CLOSED = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Kind:
    """Values that fit `schema` stay as they are: 3 remains 3 where a number with decimals is allowed too."""

    def __init__(self, schema: CoreSchema, remedy: str) -> None:
        self.schema, self.remedy = schema, remedy

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core.no_info_wrap_validator_function(self._check, self.schema)

    def _check(self, value: Any, handler: Callable[[Any], Any]) -> Any:
        try:
            handler(value)
        except ValidationError:
            raise PydanticCustomError("setting", "{remedy}", {"remedy": self.remedy}) from None
        return value


def whole(least: int, most: int | None = None) -> Kind:
    """A whole number from `least` to `most`."""
    end = "on" if most is None else f"to {most}"
    return Kind(core.int_schema(strict=True, ge=least, le=most), f"give a whole number from {least} {end}")


def real(
    least: float | None = None, most: float | None = None, above: float | None = None, below: float | None = None
) -> Kind:
    """A finite number, from `least` or above `above`, to `most` or below `below`."""
    start = f" above {above}" if above is not None else f" from {least}" if least is not None else ""
    end = f" to less than {below}" if below is not None else f" to {most}" if most is not None else ""
    if least is not None and not end:
        end = " on"
    schema = core.float_schema(strict=True, allow_inf_nan=False, ge=least, le=most, gt=above, lt=below)
    return Kind(schema, f"give a number{start}{end}")


def pair(item: Kind, remedy: str) -> Kind:
    """A list of two, the second at least as large as the first."""
    two = core.list_schema(item.schema, strict=True, min_length=2, max_length=2)
    return Kind(_tested(lambda values: values[0] <= values[1], two), remedy)


def list_of(item: Kind) -> Kind:
    return Kind(core.list_schema(item.schema, strict=True, min_length=1), "give a list, [..., ...]")


def text(test: Callable[[str], object] = bool, remedy: str = "give text; put a number or true in quotes") -> Kind:
    """Text that is not empty or ??? (Hydra's mark of a value to be given), and of which `test` is true."""

    def given(value: str) -> object:
        return value.strip() not in ("", "???") and "\0" not in value and test(value)

    return Kind(_tested(given, core.str_schema(strict=True)), remedy)


def installed(package: str, extra: str) -> Kind:
    """Text that is legal once `package` is installed, with the project's extra of that name."""
    return text(lambda _: distribution(package), f"{package} is not installed; pip install -e '.[{extra}]'")


def tested(test: Callable[[Any], object], remedy: str) -> Kind:
    """Anything of which `test` is true; an exception of it is a no."""
    return Kind(_tested(test, core.any_schema()), remedy)


def either(*kinds: Kind, remedy: str) -> Kind:
    return Kind(core.union_schema([kind.schema for kind in kinds]), remedy)


def _tested(test: Callable[[Any], object], schema: CoreSchema) -> CoreSchema:
    def check(value: Any) -> Any:
        try:
            passed = test(value)
        except Exception as error:
            raise ValueError from error
        if not passed:
            raise ValueError
        return value

    return core.no_info_after_validator_function(check, schema)


def _exists(test: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda path: test(os.path.expanduser(path))


Flag = Annotated[bool, Kind(core.bool_schema(strict=True), "give true or false")]
Count = Annotated[int, whole(1)]
Index = Annotated[int, whole(0)]
Seed = Annotated[int, whole(0, 2**32 - 1)]
Share = Annotated[float, real(least=0, below=1)]
Fraction = Annotated[float, real(least=0, most=1)]
AnyText = Annotated[str, Kind(core.str_schema(strict=True), "give text; put a number or true in quotes")]
Text = Annotated[str, text()]
Regex = Annotated[str, text(re.compile, "give a regular expression")]
Path = Annotated[str, text(remedy="give a path; put a number in quotes")]
ExistingFile = Annotated[str, text(_exists(os.path.isfile), "no such file")]
ExistingFolder = Annotated[str, text(_exists(os.path.isdir), "no such folder")]
ExistingPath = Annotated[str, text(_exists(os.path.exists), "no such file or folder")]
RunPath = Annotated[str, text(_exists(os.path.exists), "no such file or folder; give a folder that train.py made")]
Device = Annotated[
    str, text(re.compile(r"auto|(cpu|cuda|mps|xpu)(:\d{1,3})?").fullmatch, "give auto, cpu, cuda, cuda:1 or mps")
]
Target = Annotated[str, text(find_target, "no such class; give package.module.Class")]
Hop = Annotated[float, Kind(real(0.01, 1).schema, "give 0.01 to 1 seconds, for example hop=0.25")]
