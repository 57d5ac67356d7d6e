"""What README, CONTRIBUTING and docs/ show: their commands and their files, in the order of a reader."""

import re
from collections.abc import Iterable, Iterator

from tests.helpers.scripts import ROOT

INDEX = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
ORDER = ["README.md", "CONTRIBUTING.md", "docs/README.md"]
ORDER += [f"docs/{name}" for name in re.findall(r"\((\w+\.md)\)", INDEX)]
TEXTS = {page: (ROOT / page).read_text(encoding="utf-8") for page in dict.fromkeys(ORDER)}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(?:^`([\w/.-]+\.\w+)`:\n+)?^```\w*\n(?:# ([\w/]+\.\w+)\n)?(.*?)^```$", flags=BLOCK.flags)
PROGRAM = re.compile(
    r"(git|cd|ln|mkdir|source|eval|python3?|overlapped-words|make|pip|pytest|tensorboard|wandb|mlflow|\.venv/bin/\S+) "
)


def commands() -> list[tuple[str, str]]:
    """(page, command) of every command in code blocks and in the text; of several pages, the first."""
    found: dict[str, str] = {}
    for page, text in TEXTS.items():
        for language, block, span in re.findall(rf"{BLOCK.pattern}|`([^`]+)`", text, flags=BLOCK.flags):
            lines = [" ".join(span.split())] if span else block.splitlines() if language in ("", "bash", "sh") else []
            for line in filter(PROGRAM.match, lines):
                for command in re.split(r"\s# ", line)[0].split(" && "):
                    found.setdefault(command.strip(), page)
    return [(page, command) for command, page in found.items()]


def files(pages: Iterable[str] = TEXTS) -> Iterator[tuple[str, str]]:
    """(path, text) of the files that pages show: blocks after a line "`path`:" or with a first line "# path"."""
    for page in pages:
        for above, first, block in FILE.findall(TEXTS[page]):
            if path := above or first:
                yield path, block
