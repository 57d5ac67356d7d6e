"""Page faults of a process that allocates and frees large tensors."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import resource, torch
from allocator import keep_freed_memory
{call}
faults = []
for _ in range(40):
    tensor = torch.ones(12_000_000)  # 48 MB
    other = torch.relu(2 * tensor)
    del tensor, other
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[-1] - faults[-11])  # after thirty "steps" the free blocks fit
"""


def page_faults(call: str) -> int:
    """Of the last ten of forty steps."""
    command = [sys.executable, "-c", PROGRAM.format(call=call)]
    return int(subprocess.run(command, cwd=Path(__file__).parents[1], check=True, capture_output=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_freed_memory_is_reused() -> None:
    assert page_faults("keep_freed_memory()") < 1_000 < 100_000 < page_faults("")
