"""Which dataclass describes a group's settings, where the group has several options."""

from collections.abc import Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema
from pydantic_core import core_schema as core

BASE = "any other option"


class Options:
    """Metadata of an `Annotated` base class: the value at `key` selects the subclass that describes the settings.

    Settings with any other value there, of an option that a user added, are checked as the base class.
    """

    def __init__(self, key: str, subclasses: Mapping[str, type]) -> None:
        self.key, self.subclasses = key.split("."), subclasses

    def __get_pydantic_core_schema__(self, base: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices = {name: handler.generate_schema(subclass) for name, subclass in self.subclasses.items()}
        return core.tagged_union_schema({**choices, BASE: handler(base)}, self._choose)

    def _choose(self, value: Any) -> str:
        for name in self.key:
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, str) and value in self.subclasses else BASE
