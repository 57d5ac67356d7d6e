"""Run eSpeak NG in a process of its own: python espeak.py LIBRARY VOICE waveforms|phonemes < inputs.json > lines.txt

- waveforms: the input is a JSON list of (text, pitch, rate), the output one line of hex for each: int16 samples at
  22,050 Hz.
- phonemes: the input is a JSON list of texts, the output one line of phonemes for each, separated by spaces.

The engine's output depends on what it spoke before, and it crashes if two threads use it, so each utterance gets a
fresh process. This small program forks them: a fork of the calling process would copy torch, its threads and the lock
on the corpus. It imports the standard library only, and runs in the folder of the engine's data because the engine
fails on paths longer than 160 characters.
"""

import ctypes
import json
import os
import sys

SYNCHRONOUS, DONT_EXIT, UTF8, SET_RATE, SET_PITCH = 2, 0x8000, 1, 1, 3  # constants of speak_lib.h
SEPARATED = ord(" ") << 8  # a space between phonemes


def main(library: str, voice: str, output: str) -> None:
    engine = ctypes.CDLL(library)
    if engine.espeak_Initialize(SYNCHRONOUS, 0, b".", DONT_EXIT) != 22_050:
        sys.exit("the engine does not start")
    if engine.espeak_SetVoiceByName(voice.encode()):
        sys.exit("unknown voice")
    inputs = json.load(sys.stdin)
    if output == "waveforms":
        print_waveforms(engine, inputs)
    else:
        for text in inputs:
            print(phonemes(engine, text))


def print_waveforms(engine: ctypes.CDLL, utterances: list[tuple[str, int, int]]) -> None:
    engine.espeak_ng_SetRandSeed(1)  # the noise of breathy voices is otherwise seeded by the time of day
    samples = bytearray()

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    def receive(block: int | None, count: int, events: int | None) -> int:
        samples.extend(ctypes.string_at(block, 2 * count) if block else b"")
        return 0

    engine.espeak_SetSynthCallback(receive)
    for text, pitch, rate in utterances:
        if not os.fork():
            engine.espeak_SetParameter(SET_RATE, rate, 0)
            engine.espeak_SetParameter(SET_PITCH, pitch, 0)
            engine.espeak_Synth(text.encode(), len(text.encode()) + 1, 0, 0, 0, UTF8, None, None)
            print(samples.hex(), flush=True)
            os._exit(0)
        if status := os.wait()[1]:
            sys.exit(f"status {status} at {text!r}")


def phonemes(engine: ctypes.CDLL, text: str) -> str:
    """The phonemes of all clauses of a text."""
    engine.espeak_TextToPhonemes.restype = ctypes.c_char_p
    rest, clauses = ctypes.c_char_p(text.encode()), []
    while rest.value is not None:  # the engine moves it to the next clause, and to null at the end
        clauses.append(engine.espeak_TextToPhonemes(ctypes.byref(rest), UTF8, SEPARATED) or b"")
    return b" ".join(clauses).decode("ascii", "backslashreplace")


if __name__ == "__main__":
    main(*sys.argv[1:])
