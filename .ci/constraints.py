"""Print a constraints file for pip: the installed version of everything that the project and its extras need.

.venv/bin/python .ci/constraints.py > constraints.txt
"""

import platform
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = "overlapped-words"
SYSTEMS = [
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
]


def needed() -> set[str]:
    """Return the names of installed packages that are needed on every system. (torch itself pins CUDA, on Linux.)"""
    found: set[str] = set()
    todo = [(PROJECT, extra) for extra in ("", *distribution(PROJECT).metadata.get_all("Provides-Extra", []))]
    done = set(todo)
    while todo:
        name, extra = todo.pop()
        try:
            requirements = map(Requirement, distribution(name).requires or [])
        except PackageNotFoundError:  # of an extra that is not installed
            continue
        found.add(name)
        for requirement in requirements:
            marker, dependency = requirement.marker, canonicalize_name(requirement.name)
            if marker is None or all(marker.evaluate({**system, "extra": extra}) for system in SYSTEMS):
                new = {(dependency, wanted) for wanted in ("", *requirement.extras)} - done
                todo, done = [*todo, *new], done | new
    return found - {PROJECT}


def oldest_python(name: str) -> str:
    """Return the oldest Python that the project and the package support."""
    minors = (f"3.{minor}" for minor in range(int(platform.python_version_tuple()[1]) + 1))
    specifiers = [SpecifierSet(distribution(one).metadata["Requires-Python"] or "") for one in (PROJECT, name)]
    return next(minor for minor in minors if all(specifier.contains(f"{minor}.99") for specifier in specifiers))


print(f"# The tests passed with these versions on Python {platform.python_version()}. `make constraints` updates them.")
for name in sorted(needed()):
    oldest = oldest_python(name)
    marker = f' ; python_version >= "{oldest}"' if oldest != oldest_python(PROJECT) else ""
    print(f"{name}=={Version(distribution(name).version).public}{marker}")  # without a local version such as +cpu
