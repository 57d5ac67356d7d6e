"""Draw the plots of tutorial.md and print the numbers it states.

    python docs/tutorial.py [clip.wav] [--out docs/images]

Without a clip, the script synthesizes one. tutorial.md shows the same lines in the same order, without the plotting
code.
"""

import argparse
import warnings
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image
from torch import Tensor
from torch.nn import Sequential
from torchaudio.functional import melscale_fbanks
from torchaudio.transforms import AmplitudeToDB, MelSpectrogram, Spectrogram

from datamodules.corpus import speak_corpus
from datamodules.features import MultiResolutionMel
from datamodules.recordings import fit_length, read_recording

parser = argparse.ArgumentParser(description="Draw the plots of tutorial.md and print the numbers it states.")
parser.add_argument("clip", nargs="?", type=Path, help="a recording; default: a synthesized word")
parser.add_argument("--out", default=Path(__file__).parent / "images", type=Path, help="folder for the plots")
args = parser.parse_args()
args.out.mkdir(parents=True, exist_ok=True)

plt.switch_backend("Agg")  # writes files, needs no display
plt.rcParams.update({"font.size": 11, "axes.titlesize": 12, "axes.spines.top": False, "axes.spines.right": False})
plt.rcParams.update({"image.cmap": "magma", "image.origin": "lower", "image.aspect": "auto"})
plt.rcParams.update({"image.interpolation": "nearest"})  # show every cell
BLUE, ORANGE, GRAY = "#3b528b", "#e8743b", "#9a9a9a"
RELATIVE = "dB relative to the strongest cell"


def draw(rows: int, columns: int, size: tuple[float, float], **kwargs: Any) -> tuple[Figure, np.ndarray]:
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", dpi=110, squeeze=False, **kwargs)
    return figure, axes.flatten()


def save(figure: Figure, name: str) -> None:
    """Write `name`.png in 256 colors: a third of the size, no visible difference."""
    buffer = BytesIO()
    figure.savefig(buffer)
    plt.close(figure)
    image = Image.open(buffer).convert("RGB")
    image = image.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    image.save(args.out / f"{name}.png", optimize=True)


def show(ax: Axes, values: Tensor, title: str, low: float, high: float) -> AxesImage:
    """Draw one second of a spectrogram `(F, T)`, 0 to 8 kHz, with colors from `low` to `high`."""
    num_bins, num_frames = values.shape
    half_bin = 4 / (num_bins - 1)  # the lowest and highest frequencies are the centers of their cells
    half_frame = 0.5 / (num_frames - 1) if num_frames % 2 else 0  # same for the ends of the clip, but not for features
    ax.set(title=title, xlabel="time (s)")
    extent = (-half_frame, 1 + half_frame, -half_bin, 8 + half_bin)
    return ax.imshow(values, extent=extent, vmin=low, vmax=high)


# ---- 1 A recording is a sequence of numbers ----

temporary = TemporaryDirectory()
corpus = speak_corpus(Path(temporary.name), num_voices=1, takes=1, seed=1)
path, other_path = (next((corpus / word).iterdir()) for word in ("seven", "yes"))
path = args.clip or path

sample_rate = 16_000
waveform = torch.from_numpy(fit_length(read_recording(path, sample_rate), sample_rate))[None]
print("waveform:", tuple(waveform.shape), "at", sample_rate, "Hz =", waveform.shape[1] / sample_rate, "s")

peak = waveform.abs().max().item()
print(f"largest amplitude: {peak:.2f} of full scale = {20 * np.log10(peak):.0f} dB")

loudest = int(waveform.abs().argmax())
near = waveform[0, max(0, loudest - 480) : loudest + 480]
period = 40 + int(torch.stack([(near[lag:] * near[:-lag]).sum() for lag in range(40, 320)]).argmax())
print(f"the waveform repeats every {1000 * period / sample_rate:.0f} ms, {sample_rate / period:.0f} times per second")

noise = 3e-4 * torch.randn(2, sample_rate, generator=torch.Generator().manual_seed(0))
waveform = waveform + noise[:1]

zoom = np.arange(max(0, loudest - 240), min(sample_rate, loudest + 240))
figure, (whole, part) = draw(2, 1, (9, 5))
whole.plot(np.arange(sample_rate) / sample_rate, waveform[0], color=BLUE, linewidth=0.6)
whole.axvspan(zoom[0] / sample_rate, zoom[-1] / sample_rate, color=ORANGE, alpha=0.35, linewidth=0)
whole.set(xlim=(0, 1), xlabel="time (s)", ylabel="amplitude", title="One second: 16,000 samples")
part.plot(1000 * zoom / sample_rate, waveform[0, zoom], ".-", color=ORANGE, linewidth=1, markersize=4)
part.axhline(0, color=GRAY, linewidth=0.6, zorder=0)
part.set(xlim=1000 * zoom[[0, -1]] / sample_rate, xlabel="time (ms)", ylabel="amplitude", title="The shaded 30 ms")
save(figure, "waveform")

# ---- 2 Sampling and the Nyquist frequency ----

n = torch.arange(sample_rate, dtype=torch.float64)
low = torch.cos(2 * torch.pi * 7000 * n / sample_rate)
high = torch.cos(2 * torch.pi * 9000 * n / sample_rate)
print(f"7000 Hz and 9000 Hz differ by at most {(high - low).abs().max():.6f}")

fine = np.linspace(0, 1, 2000)
figure, (ax,) = draw(1, 1, (9, 3.2))
ax.plot(fine, np.cos(2 * np.pi * 9 * fine), color=GRAY, linewidth=1, label="9000 Hz")
ax.plot(fine, np.cos(2 * np.pi * 7 * fine), color=BLUE, linewidth=1.6, label="7000 Hz")
ax.plot(np.arange(17) / 16, low[:17], "o", color=ORANGE, markersize=6, label="samples, 16,000 per second")
ax.set(xlim=(-0.01, 1.01), xlabel="time (ms)", ylabel="amplitude", title="Two tones, the same samples")
figure.legend(loc="outside lower center", ncols=3, frameon=False)
save(figure, "aliasing")

# ---- 3 The spectrogram ----

power = Spectrogram(n_fft=512, win_length=400, hop_length=160)(waveform)
to_decibel = AmplitudeToDB()
spectrogram = to_decibel(power)
print("spectrogram:", tuple(spectrogram.shape))

print(f"{512 // 2 + 1} frequencies, {sample_rate / 512} Hz apart, up to {sample_rate // 2} Hz")
print(f"{sample_rate // 160 + 1} frames, {1000 * 160 / sample_rate:g} ms apart")

faint = (power < power.max() / 100).float().mean()
print(f"doubling the amplitude adds {20 * np.log10(2):.0f} dB, a factor of ten adds {20 * np.log10(10):.0f} dB")
print(f"{100 * faint:.0f} % of the cells have less than 1 % of the power of the strongest cell")

figure, (left, right) = draw(1, 2, (10, 3.8), sharey=True)
image = show(left, power[0] / power.max(), "Power", 0, 1)
left.set(ylabel="frequency (kHz)")
figure.colorbar(image, ax=left, label="power relative to the strongest cell")
image = show(right, spectrogram[0] - spectrogram.max(), "The same in dB", -80, 0)
figure.colorbar(image, ax=right, label=RELATIVE)
save(figure, "spectrogram")

# ---- 4 The mel scale ----


def mel(hertz: float | np.ndarray) -> float | np.ndarray:
    return 2595 * np.log10(1 + hertz / 700)


mel_power = MelSpectrogram(sample_rate, n_fft=512, win_length=400, hop_length=160, n_mels=80)
to_mel = Sequential(mel_power, to_decibel)
mel_spectrogram = to_mel(waveform)
print("mel spectrogram:", tuple(mel_spectrogram.shape))

step = mel(8000) / 81
centers = 700 * (10 ** (step * np.arange(1, 81) / 2595) - 1)
bins, bands = (31.25 * np.arange(257) < 1000).sum(), (centers < 1000).sum()
print(f"below 1000 Hz: {bins} frequencies become {bands} bands; above, {257 - bins} become {80 - bands}")
print(f"bands: {centers[1] - centers[0]:.0f} Hz apart at the bottom, {centers[-1] - centers[-2]:.0f} Hz at the top")


def show_mel(ax: Axes, values: Tensor, title: str, low: float, high: float, f_min: float, f_max: float) -> AxesImage:
    """Draw one second of a mel spectrogram `(n_mels, T)`, with the band centers in Hz as ticks."""
    image = show(ax, values, title, low, high)
    image.set_extent((*image.get_extent()[:2], -0.5, len(values) - 0.5))
    ticks, step = np.array([100, 300, 600, 1000, 2000, 4000, 7000]), (mel(f_max) - mel(f_min)) / (len(values) + 1)
    ax.set_yticks((mel(ticks) - mel(f_min)) / step - 1, ticks)
    return image


figure, (left, right) = draw(1, 2, (10, 3.8))
triangles = melscale_fbanks(257, 0.0, 8000.0, 80, sample_rate)
left.plot(np.linspace(0, 8, 257), triangles[:, 3::8], color=BLUE, linewidth=1.4)
left.set(xlim=(0, 8), ylim=(0, 1.05), xlabel="frequency (kHz)", ylabel="weight", title="Every eighth of the 80 bands")
image = show_mel(right, mel_spectrogram[0] - mel_spectrogram.max(), "Mel spectrogram", -80, 0, 0.0, 8000.0)
right.set(ylabel="band center (Hz)")
figure.colorbar(image, ax=right, label=RELATIVE)
save(figure, "mel")

# ---- 5 Window length: time vs. frequency resolution ----

t = torch.arange(sample_rate) / sample_rate
tones = 0.1 * (torch.cos(2 * torch.pi * 1000 * t) + torch.cos(2 * torch.pi * 1040 * t))
clicks = torch.zeros(sample_rate)
clicks[[8000, 8160]] = 1.0

figure, axes = draw(1, 3, (10, 3.8), sharey=True)
for ax, win_length in zip(axes, (100, 400, 1600), strict=True):
    decibel = to_decibel(Spectrogram(n_fft=2048, win_length=win_length, hop_length=20)(tones + clicks))
    milliseconds, hertz = 1000 * win_length / sample_rate, 2 * sample_rate / win_length
    print(f"window {win_length}: {milliseconds:g} ms, frequency resolution {hertz:g} Hz")
    image = show(ax, decibel - decibel.max(), f"{win_length} samples, {milliseconds:g} ms", -60, 0)
    ax.set(xlim=(0.4, 0.6), ylim=(0, 2), xticks=(0.45, 0.5, 0.55), yticks=(0, 0.5, 1, 1.5, 2))
axes[0].set(ylabel="frequency (kHz)")
figure.colorbar(image, ax=axes, label=RELATIVE)
save(figure, "windows")

# ---- 6 Zero-padding ----


def tone_spectrum(win_length: int, n_fft: int) -> Tensor:
    """Spectrum of the two tones in dB, averaged over the frames in the middle half of the clip."""
    power = Spectrogram(n_fft=n_fft, win_length=win_length, hop_length=50)(tones)[:, 80:240].mean(dim=1)
    return to_decibel(power / power.max())


figure, (ax,) = draw(1, 1, (9, 4))
for win_length, n_fft, style, color in ((400, 512, "o", ORANGE), (400, 16384, "-", ORANGE), (1600, 16384, "-", BLUE)):
    level = tone_spectrum(win_length, n_fft)
    peaks = (level[1:-1] > level[:-2]) & (level[1:-1] >= level[2:]) & (level[1:-1] > -20)
    print(f"window {win_length}, n_fft {n_fft}: a value every {sample_rate / n_fft:.2f} Hz, {peaks.sum()} peak(s)")
    frequencies = torch.linspace(0, sample_rate / 2, len(level))
    ax.plot(frequencies, level, style, color=color, label=f"window {win_length}, n_fft {n_fft}")
ax.vlines([1000, 1040], -40, 3, color=GRAY, linewidth=1, linestyle=":", zorder=0)
ax.set(xlim=(850, 1190), ylim=(-40, 3), xlabel="frequency (Hz)", ylabel="dB relative to the peak")
ax.set(title="Two tones, 40 Hz apart")
figure.legend(loc="outside lower center", ncols=3, frameon=False)
save(figure, "zero_padding")

# ---- 7 The input of the network ----

extract = MultiResolutionMel()
features = extract(waveform)
print("features:", tuple(features[0].shape))

for win_length in extract.win_lengths:
    milliseconds, hertz = 1000 * win_length / sample_rate, 2 * sample_rate / win_length
    print(f"window {win_length}: {milliseconds:g} ms, frequency resolution {hertz:.0f} Hz")

print(f"frames: {(sample_rate + 2 * 50) // 100 + 1} - 2, centered on samples 50, 150, ..., {50 + 159 * 100}")

warnings.filterwarnings("ignore", message="At least one mel filterbank")  # the next lines count these bands
for n_fft in (512, 2048):
    counts = (melscale_fbanks(n_fft // 2 + 1, 25.0, 7500.0, 160, sample_rate) > 0).sum(dim=0)
    print(f"n_fft {n_fft}: {(counts == 0).sum()} of 160 bands contain no frequency, {(counts == 1).sum()} only one")

change = (extract(waveform / 4) - features).abs().max()
print(f"a quarter of the amplitude is {20 * np.log10(4):.0f} dB less; features change by at most {change:.3f}")

figure, axes = draw(2, 2, (10, 7.4), sharex=True, sharey=True)
for ax, values, win_length in zip(axes, features[0], extract.win_lengths, strict=True):
    title = f"{win_length} samples, {1000 * win_length / sample_rate:g} ms"
    image = show_mel(ax, values, title, features.max() - 4, features.max(), 25.0, 7500.0)
    ax.set(ylabel="band center (Hz)")
    ax.label_outer()
figure.colorbar(image, ax=axes, label="feature value (1 is 20 dB)", extend="min")
save(figure, "resolutions")

slope = torch.linspace(-0.5, 0.5, 160)
sloped = features[0, 0].mean(dim=1)
level = sloped - slope
tilt, sloped_tilt = (20 * (each[120:].mean() - each[:40].mean()) for each in (level, sloped))
print(f"highest 40 bands minus lowest 40: {tilt:.0f} dB, with the slope {sloped_tilt:.0f} dB")

figure, (ax,) = draw(1, 1, (9, 3.6))
ax.plot(level, color=GRAY, label="without the slope")
ax.plot(sloped, color=BLUE, label="with the slope")
ax.plot(slope, color=ORANGE, linestyle="--", label="the slope")
ax.set(xlim=(0, 159), xlabel="mel band", ylabel="feature value", title="Mean of each band over the clip (window 250)")
figure.legend(loc="outside lower center", ncols=3, frameon=False)
save(figure, "calibration")

# ---- 8 Overlapped words ----

other = torch.from_numpy(fit_length(read_recording(other_path, sample_rate), sample_rate))[None] + noise[1:]
first, second = (0.05 * word / word.std() for word in (waveform, other))
mixture = first + second

one, two, both = (to_mel(clip)[0] for clip in (first, second, mixture))
louder = torch.maximum(one, two)
audible = louder > louder.max() - 60
close = ((both - louder).abs() < 3)[audible].float().mean()
print(f"{100 * close:.0f} % of the cells of the mixture are within 3 dB of the louder word")

figure, axes = draw(1, 3, (10, 3.8), sharey=True)
for ax, values, title in zip(axes, (one, two, both), ("One word", "Another word", "Mixture of both"), strict=True):
    image = show_mel(ax, values - louder.max(), title, -80, 0, 0.0, 8000.0)
    ax.set(xticks=(0.2, 0.4, 0.6, 0.8))
axes[0].set(ylabel="band center (Hz)")
figure.colorbar(image, ax=axes, label=RELATIVE)
save(figure, "overlap")
temporary.cleanup()
