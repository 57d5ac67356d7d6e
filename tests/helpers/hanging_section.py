"""A section of benchmarks.gpu that hangs after its first row and a warning."""

import time

if __name__ == "__main__":
    print('row {"row": "a"}', flush=True)
    print("a warning", flush=True)
    time.sleep(60)
