"""overlapped-words train|predict|ensemble|export|app ...: the scripts of a checkout, from anywhere.

overlapped-words predict input=clip.wav
python -m overlapped_words predict input=clip.wav
"""

import runpy
import sys

from overlapped_words.paths import SCRIPTS

NAMES = ("train", "predict", "ensemble", "export", "app")


def main() -> None:
    """Run the script that the first argument names with the other arguments."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        print(f"{__doc__}\nHelp on one of them: overlapped-words train --help")
    elif name not in NAMES:
        sys.exit(f"{name}: no such command; choose one of {', '.join(NAMES)}")
    else:
        del sys.argv[1]
        runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")


if __name__ == "__main__":
    main()
