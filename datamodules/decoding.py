"""Decode recordings to their last sample, whatever their headers say about the length; truncated ones are errors."""

import io
import os
import re
import struct
import subprocess
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import soundfile

from datamodules import audio_files
from datamodules.audio_files import FFMPEG_EXTENSIONS
from datamodules.waveforms import SAMPLE_RATE, check_rate
from overlapped_words.errors import DataError

MAX_VALUES = 1 << 23  # decoded at a time, over all channels (32 MB); more only if one second has more
MAX_SECOND = 1 << 25  # values of one second over all channels (128 MB)
UNKNOWN_LENGTH = 1 << 48  # frames: libsndfile returns more than this if the header does not state the length
MPEG_FRAME = 1152  # samples

# libsndfile reads what is left of a truncated file; only its log shows it: "data : 32000 (should be 21318)".
# The chunk is "data" in WAV, "SSND" in AIFF, "Data Size" in AU; W64 and RF64 log the size of the whole file.
TRUNCATED = re.compile(r"(?:data|SSND|Data Size|riff|Riff size)\s*:\s*(\d+) \(should be (\d+)\)")
HEADER_SIZE = 80  # bytes, the largest: some programs include the header in the size of the data
# Programs that write a WAV to a pipe do not know its length; they write a size near 2^31 or 2^32. Nothing is missing.
UNKNOWN_SIZE = 0x7FFF0000
# The header of an MP3 with a number of frames that is not 0: a tag, flags of which the lowest is set, the number.
FRAME_COUNT = re.compile(rb"(?:Xing|Info)\0{3}[\x01\x03\x05\x07\x09\x0b\x0d\x0f](?!\0{4})|VBRI")
# ffmpeg may open the file itself only, in these formats: others, such as playlists, name more files to read.
FFMPEG_OPTIONS = "-v error -xerror -nostdin -protocol_whitelist file -format_whitelist mov,matroska,asf,aac,amr,ac3"


class Header(NamedTuple):
    """What a recording's header says; it may be wrong."""

    seconds: float = 0  # 0 if the header does not state the length
    sample_rate: int = SAMPLE_RATE


def read_header(path: Path) -> Header:
    """The header of a recording; the defaults if libsndfile cannot read it or it is a pipe."""
    try:
        if path.is_fifo():
            return Header()
        with _open(path) as file:
            return Header(file.frames / file.samplerate if file.frames < UNKNOWN_LENGTH else 0, file.samplerate)
    except (soundfile.LibsndfileError, OSError, TypeError, ValueError):
        return Header()


def decode(path: Path, seconds: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield blocks `(T, channels)` float32 of up to `seconds` whole seconds, each with the recording's sample rate.

    Raises:
        DataError: the file is not audio, is truncated or empty, or has too many channels or an unusual sample rate.
    """
    decoder = _decode_with_ffmpeg if audio_files.FFMPEG and path.suffix.lower() in FFMPEG_EXTENSIONS else _decode
    empty = True
    try:
        for block, rate in decoder(path, seconds):
            empty = False
            yield block, rate
        if empty:
            raise DataError("contains no samples; replace it or remove it")
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except (soundfile.LibsndfileError, OSError, TypeError, ValueError) as error:
        reason = str(getattr(error, "error_string", error))  # libsndfile's message without the path
        raise DataError(f"{path}: {audio_files.diagnose(path, reason)}") from error


def _decode(path: Path, seconds: int) -> Iterator[tuple[np.ndarray, int]]:
    done = 0
    with _open(path) as file:
        header_log, frames, rate = file.extra_info, file.frames, file.samplerate
        length = _block_length(rate, file.channels, seconds)
        while done < frames and len(block := file.read(min(length, frames - done), dtype="float32", always_2d=True)):
            done += len(block)
            yield block, rate
    sizes = TRUNCATED.search(header_log)
    stated, actual = map(int, sizes.groups()) if sizes else (0, 0)
    if done < frames < UNKNOWN_LENGTH or actual + HEADER_SIZE < stated < UNKNOWN_SIZE:
        raise DataError("truncated, shorter than its header says; copy it again or remove it")


def _block_length(rate: int, channels: int, seconds: int) -> int:
    """The number of frames to decode at a time: whole seconds."""
    check_rate(rate)
    if rate * channels > MAX_SECOND:
        raise DataError(f"has {channels} channels at {rate} Hz; convert it to mono at 48000 Hz or less")
    return max(1, min(seconds, MAX_VALUES // (rate * channels))) * rate


class _Reader(soundfile.SoundFile):
    """A recording that is read once, from start to end.

    `SoundFile` seeks after each block. After that, libsndfile decodes the first samples of an MP3's next block wrong,
    and reports an error at the end of a FLAC without a length.
    """

    def seekable(self) -> bool:
        return False


class _Endless(io.BytesIO):
    """The content of a file that claims to be far longer."""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return super().seek(1 << 50) if (offset, whence) == (0, os.SEEK_END) else super().seek(offset, whence)


class _UncountedMp3(_Reader):
    """An `_Endless` MP3 without a frame count.

    libsndfile estimates the count from the size of the file and of its first frame, often far too small, and decodes
    no more than that.
    """

    def read(self, frames: int = -1, **options: Any) -> np.ndarray:
        parts = [np.zeros((0, self.channels), np.float32)]
        try:
            for start in range(0, frames, MPEG_FRAME):
                parts.append(super().read(min(MPEG_FRAME, frames - start), **options))
                if not len(parts[-1]):
                    break
        except soundfile.LibsndfileError:
            if self.name.read(1):
                raise  # otherwise the last MPEG frame is incomplete
        return np.concatenate(parts)


def _open(path: Path) -> _Reader:
    """Open a recording for libsndfile, with corrections for headers that misstate the length.

    Raises:
        soundfile.LibsndfileError, OSError, TypeError, ValueError: it cannot be read.
    """
    piped = path.read_bytes() if path.is_fifo() else None  # it can be read only once
    file = _Reader(path if piped is None else io.BytesIO(piped))
    if file.format == "MP3":
        content = piped or path.read_bytes()
        start = 0
        if content.startswith(b"ID3"):  # tags, perhaps a picture, of a size in four times seven bits
            start = 10 + reduce(lambda size, byte: size << 7 | byte, content[6:10], 0)
        if not FRAME_COUNT.search(content, start, start + 64):
            return _UncountedMp3(_Endless(content))
    elif file.format.startswith("WAV"):
        with path.open("rb") if piped is None else io.BytesIO(piped) as raw:
            position = _unfinished_data(raw)
        if position:
            content = piped or path.read_bytes()
            return _Reader(io.BytesIO(content[:position] + b"\xff\xff\xff\xff" + content[position + 4 :]))
    return file


def _unfinished_data(file: BinaryIO) -> int:
    """Where a WAV states the size of its samples, if more follow: the recorder was stopped before it wrote the size.

    Returns 0 for any other file: after the samples, it ends or has another chunk, which begins with its name.
    """
    file.seek(12)
    while len(chunk := file.read(8)) == 8:
        position, size = file.tell() - 4, int.from_bytes(chunk[4:], "little")
        file.seek(size + size % 2, os.SEEK_CUR)
        if chunk[:4] == b"data":
            after = file.read(4)
            return 0 if len(after) < 4 or re.fullmatch(rb"[\w ]{4}", after) else position
    return 0


def _decode_with_ffmpeg(path: Path, seconds: int) -> Iterator[tuple[np.ndarray, int]]:
    options = [*FFMPEG_OPTIONS.split(), "-i", f"file:{path}", "-map", "0:a:0", "-f", "au", "-c:a", "pcm_f32be", "-"]
    command = [str(audio_files.FFMPEG), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        if len(header := process.stdout.read(24)) == 24:
            _, start, _, _, rate, channels = struct.unpack(">6I", header)
            length = _block_length(rate, channels, seconds)
            process.stdout.read(start - len(header))
            while samples := process.stdout.read(4 * channels * length):
                yield np.frombuffer(samples, ">f4").astype(np.float32).reshape(-1, channels), rate
    if process.returncode:
        raise ValueError("ffmpeg cannot decode it")
