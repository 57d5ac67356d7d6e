"""Print the words that the microphone hears, as they are spoken.

python examples/microphone.py                       # by the network that comes with the project
python examples/microphone.py outputs/my_network    # by yours

Needs pip install -e '.[microphone]' and, on Linux, apt install libportaudio2. Press Ctrl+C to stop.
"""

import sys
from collections.abc import Iterator
from queue import Queue

import numpy as np

from overlapped_words import UserError, load
from overlapped_words.messages import clock
from overlapped_words.paths import install

try:
    import sounddevice
except (ImportError, OSError) as error:  # an OSError if PortAudio is missing
    remedy = f"{install('microphone')}; on Linux, also apt install libportaudio2"
    sys.exit(f"the microphone needs sounddevice ({error}): {remedy}")


def blocks(sample_rate: int) -> Iterator[np.ndarray]:
    """Blocks `(T,)` of a tenth of a second of the default microphone."""
    queue: Queue[np.ndarray] = Queue()
    with sounddevice.InputStream(
        sample_rate, sample_rate // 10, channels=1, callback=lambda data, *_: queue.put(data[:, 0].copy())
    ):
        while True:
            yield queue.get()


try:
    model = load(*sys.argv[1:2])
    rate = int(sounddevice.query_devices(kind="input")["default_samplerate"])
    for event in model.listen(blocks(rate), rate):
        print(f"{clock(event.start_s)}  {event.word}  {100 * event.probability:.0f} %", flush=True)
except (UserError, sounddevice.PortAudioError) as error:
    sys.exit(str(error))
except KeyboardInterrupt:
    pass
