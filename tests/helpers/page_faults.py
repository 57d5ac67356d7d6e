"""Print the page faults of ten steps that allocate and free large tensors, after thirty others.

python -m tests.helpers.page_faults
python -m tests.helpers.page_faults --keep   # with keep_freed_memory()
"""

import resource
import sys

import torch

from overlapped_words.allocator import keep_freed_memory

if __name__ == "__main__":
    if "--keep" in sys.argv:
        keep_freed_memory()
    faults = []
    for _ in range(40):  # after thirty, the free blocks fit
        tensor = torch.ones(12_000_000)  # 48 MB
        other = torch.relu(2 * tensor)
        del tensor, other
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    print(faults[-1] - faults[-11])
