"""Events per hour of audio without the words, and the share of spoken words that are found, by threshold and by word.

python -m benchmarks.events WORDS english=DIR other_words=DIR noise=DIR [--model MODEL] [--plot curve.png]

WORDS is a word folder; each of the other folders has recordings, of any length, that contain none of the words. Measure
on speakers and recordings that MODEL was not trained with. Words are spoken alone, in noise 30 dB below them, and over
the recordings of each folder, 10 dB below them. A word is found if it is an event up to a second after its end.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks.unseen_speakers import Words, print_table, read_words
from datamodules.audio_files import walk_recordings
from datamodules.recordings import read_recording
from datamodules.spans import find_extents
from datamodules.waveforms import SAMPLE_RATE, from_int16
from overlapped_words import Model, load
from overlapped_words.inference.events import Event, EventDetector
from overlapped_words.pretrained import PRETRAINED

NUM_WORDS = 600
EVERY = 2.5  # seconds from one word to the next
THRESHOLDS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)


def join(folder: Path) -> np.ndarray:
    """All recordings of a folder as one, in random order."""
    recordings = [read_recording(path) for path in walk_recordings(folder)]
    return np.concatenate([recordings[i] for i in np.random.default_rng(0).permutation(len(recordings))])


def speak(words: Words, sound: np.ndarray, below_db: float) -> tuple[np.ndarray, list[Event]]:
    """A recording of random words over a sound `(T,)`, and when each is spoken."""
    rng = np.random.default_rng(0)
    classes = rng.integers(len(words.names), size=NUM_WORDS)
    rows = np.array([rng.choice(words.rows[label]) for label in classes])
    extents, length = find_extents(words.waveforms[rows]), round(EVERY * SAMPLE_RATE)
    recording, spoken = np.resize(sound, (NUM_WORDS, length)).astype(np.float32), []
    for i, (part, (first, last)) in enumerate(zip(recording, extents.tolist(), strict=True)):
        word = from_int16(words.waveforms[rows[i]])
        start = rng.integers(length - len(word))
        level = np.sqrt(np.square(word[first:last]).mean() / max(np.square(part).mean(), 1e-10))
        part *= level * 10 ** (-below_db / 20)
        part[start : start + len(word)] += word
        part *= min(1, 0.99 / np.abs(part).max())
        start_s, end_s = ((i * length + int(start) + sample) / SAMPLE_RATE for sample in (first, last))
        spoken.append(Event(start_s, end_s, words.names[classes[i]], 1.0))
    return recording.ravel(), spoken


def presence(model: Model, recording: np.ndarray) -> pd.DataFrame:
    """The presence of all words in the windows of a recording."""
    return pd.concat([windows for _, windows in model.stream_events(recording, SAMPLE_RATE)])


def detect(model: Model, windows: pd.DataFrame, threshold: float | None) -> list[Event]:
    detector = EventDetector(model.rule(threshold), model.class_names)
    rows = zip(windows.index, windows.to_numpy(), strict=True)
    return [event for (start_s, end_s), row in rows for event in detector.push(start_s, end_s, row)]


def found(events: list[Event], spoken: list[Event]) -> pd.Series:
    """Whether each spoken word is an event, indexed by word."""
    heard = {(event.word, event.end_s) for event in events}
    hits = [any(word == one.word and one.start_s <= end <= one.end_s + 1 for word, end in heard) for one in spoken]
    return pd.Series(hits, [one.word for one in spoken])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", type=Path, help="word folder")
    parser.add_argument("without", nargs="+", metavar="NAME=FOLDER", help="recordings without the words")
    parser.add_argument("--model", type=Path, default=PRETRAINED, help="what `load` takes")
    parser.add_argument("--plot", type=Path, help="file of the curve (PNG)")
    arguments = parser.parse_args()
    model, words = load(arguments.model), read_words(arguments.words)
    sounds = {name: join(Path(folder)) for name, folder in (each.split("=") for each in arguments.without)}
    silence = {"alone": np.random.default_rng(0).standard_normal(SAMPLE_RATE * 60)}
    without = {name: (presence(model, sound), len(sound) / SAMPLE_RATE / 3600) for name, sound in sounds.items()}
    spoken = {name: speak(words, sound, 30 if name == "alone" else 10) for name, sound in (silence | sounds).items()}
    heard = {name: (presence(model, recording), truth) for name, (recording, truth) in spoken.items()}

    rates, shares = pd.DataFrame(columns=list(sounds)), pd.DataFrame(columns=list(spoken))
    for threshold, given in {"default": None, **{str(each): each for each in THRESHOLDS}}.items():
        alarms = {name: detect(model, windows, given) for name, (windows, _) in without.items()}
        hits = {name: found(detect(model, windows, given), truth) for name, (windows, truth) in heard.items()}
        rates.loc[threshold] = [len(events) / without[name][1] for name, events in alarms.items()]
        shares.loc[threshold] = [hit.mean() for hit in hits.values()]
        if given is None:
            by_word = pd.DataFrame({name: hit.groupby(level=0).mean() for name, hit in hits.items()})
            false = pd.Series([event.word for events in alarms.values() for event in events]).value_counts()
    hours = ", ".join(f"{name} {60 * hours:.1f} minutes" for name, (_, hours) in without.items())
    print(f"{NUM_WORDS} words of {len(words.waveforms)} recordings; without the words: {hours}; {model.rule()}")
    if arguments.plot:
        axes = (figure := Figure(figsize=(6, 4), layout="constrained")).subplots()
        for name in sounds:
            axes.plot(rates[name].iloc[1:], 1 - shares["alone"].iloc[1:], marker="o", label=name)
        axes.set(xscale="symlog", xlabel="events per hour without the words", ylabel="words alone that are missed")
        axes.legend()
        figure.savefig(arguments.plot)
    rates = rates.map("{:.1f}".format).add_suffix(", events per hour")
    print_table("threshold", rates.join(shares.map("{:.1%}".format).add_prefix("found ")))
    false = by_word.index.map(lambda word: str(false.get(word, 0))).to_series(by_word.index, name="false events")
    print_table("word", by_word.map("{:.0%}".format).add_prefix("found ").join(false))


if __name__ == "__main__":
    main()
