"""Run a script, then print the top-level packages that the process imported.

python -m tests.helpers.imported SCRIPT ARGUMENT ...
"""

import runpy
import sys

if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:  # --help ends by SystemExit
        print(*sorted({name.partition(".")[0] for name in sys.modules}))
