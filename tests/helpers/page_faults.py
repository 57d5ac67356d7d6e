"""Print the page faults of five steps that allocate and free large tensors, without and with keep_freed_memory()."""

import resource

import torch

from overlapped_words.allocator import keep_freed_memory


def faults(steps: int) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(steps):
        tensor = torch.ones(9_000_000)  # 36 MB
        torch.relu(2 * tensor)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


if __name__ == "__main__":
    print(faults(5))
    keep_freed_memory()
    faults(10)  # until the free blocks fit
    print(faults(5))
