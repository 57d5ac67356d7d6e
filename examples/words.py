"""Print the words in a recording, with the network that comes with the project.

python examples/words.py clip.wav
python examples/words.py clip.wav outputs/demo    # with a trained run
"""

import sys
from io import TextIOWrapper

from overlapped_words import UserError, load

if len(sys.argv) not in (2, 3):
    sys.exit("usage: python words.py RECORDING [RUN]")
recording, *run = sys.argv[1:]

try:
    model = load(*run)
    sets = model.word_sets(recording)
    shares = model(recording)
except UserError as error:
    sys.exit(str(error))
if isinstance(sys.stdout, TextIOWrapper):
    sys.stdout.reconfigure(errors="backslashreplace")  # for a console that cannot encode a word
print(", ".join(sets["words"]) or "none of the words", f"({sets['probability']:.1%})")
print(shares.nlargest(5).to_string(float_format="{:.1%}".format))
