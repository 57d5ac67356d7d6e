"""Profile a training step, with and without `keep_freed_memory`.

python -m benchmarks.step           # average pooling, batch size 128
python -m benchmarks.step max 32

Prints for each allocator setting, in a new process: clips/s and page faults per step after warmup, peak memory, and the
fractions of the most expensive operations.
"""

import argparse
import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor

from overlapped_words.allocator import keep_freed_memory

NUM_STEPS = 8


def measure(pool: str, batch_size: int, keep_memory: bool) -> None:
    """Measure in this process, which should be a new one, and print the results."""
    if keep_memory:
        keep_freed_memory()  # before torch allocates
    import torch
    from torch.profiler import profile

    from lightning_modules.mac import MAC
    from lightning_modules.outputs import kl_divergence

    network = MAC(pool).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.2, momentum=0.9, weight_decay=1e-4, fused=True)
    features = torch.randn(batch_size, 4, 160, 160).contiguous(memory_format=torch.channels_last)
    targets = torch.rand(batch_size, 30).softmax(dim=1)

    def run(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            kl_divergence(network(features), targets).backward()
            optimizer.step()

    run(NUM_STEPS)  # warm up: the allocator reaches a steady state
    faults, start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.perf_counter()
    run(NUM_STEPS)
    rate = NUM_STEPS * batch_size / (time.perf_counter() - start)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    pages = (usage.ru_minflt - faults) / NUM_STEPS
    print(f"{rate:.1f} clips/s, {pages:,.0f} page faults per step, {usage.ru_maxrss / 1e6:.1f} GB peak memory")
    with profile() as profiler:
        run(2)
    events = sorted(profiler.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    print(", ".join(f"{event.key} {event.self_cpu_time_total / total:.0%}" for event in events[:8]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool", nargs="?", default="avg")
    parser.add_argument("batch_size", type=int, nargs="?", default=128)
    arguments = parser.parse_args()
    for keep_memory in (False, True):
        print("keep_freed_memory: " if keep_memory else "default allocator: ", end="", flush=True)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
            executor.submit(measure, arguments.pool, arguments.batch_size, keep_memory).result()


if __name__ == "__main__":
    main()
