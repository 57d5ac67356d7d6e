"""Draw the predictions of the last seconds as a picture that is quick to draw and to send."""

from collections.abc import Iterable
from html import escape
from typing import NamedTuple

from datamodules.bandwidth import NARROWBAND

ROWS = 6
LONGEST = 12  # characters of a word in the picture
LEAST = 0.1  # probability of a word that is shown
WIDTH, LABELS, ROW = 400, 120, 28  # units of the picture: its width, the part of it for words, a row


class Moment(NamedTuple):
    """The prediction for the second before a point in time.

    Args:
        end: seconds since the start of the sound.
        probs: the probability of each word; empty if none of the words is the most likely answer.
        answer: the most likely set of words, as text; empty for a model without sets.
        narrowband: whether the sound lacks the upper frequencies, as that of some headsets does.
    """

    end: float
    probs: dict[str, float]
    answer: str
    narrowband: bool = False


def draw(moments: Iterable[Moment], seconds: float) -> str:
    """Draw words against time, now at the right edge -> HTML with an SVG, which follows the page's colors.

    Args:
        moments: oldest first.
        seconds: shown.
    """
    moments = list(moments)
    now = moments[-1].end if moments else 0.0
    shown = [moment for moment in moments if moment.end > now - seconds]
    peaks: dict[str, float] = {}
    for moment in shown:
        for word, prob in moment.probs.items():
            peaks[word] = max(peaks.get(word, 0), prob)
    likely = sorted((word for word in peaks if peaks[word] >= LEAST), key=peaks.__getitem__, reverse=True)[:ROWS]
    words = [word for word in peaks if word in likely]  # in the order of the model, so that rows do not change places
    scale = (WIDTH - LABELS) / seconds
    parts = []
    for i, word in enumerate(words):
        parts.append(f'<text x="{LABELS - 8}" y="{ROW * i + 20}" text-anchor="end">{escape(shorten(word))}</text>')
        start = max(0.0, now - seconds)
        for moment in shown:
            if (prob := moment.probs.get(word, 0)) > LEAST / 2:
                left = WIDTH - (now - start) * scale
                parts.append(
                    f'<rect x="{max(left, LABELS):.1f}" y="{ROW * i + 2}" width="{(moment.end - start) * scale:.1f}" '
                    f'height="{ROW - 4}" fill-opacity="{prob:.2f}"/>'
                )
            start = moment.end
    height = ROW * ROWS
    parts.append(f'<path d="M{LABELS} {height}H{WIDTH}" stroke="currentColor"/>')
    parts += [
        f'<text x="{LABELS}" y="{height + 20}">{seconds:g} s ago</text>',
        f'<text x="{WIDTH}" y="{height + 20}" text-anchor="end">now</text>',
    ]
    narrowband = 2 * sum(moment.narrowband for moment in shown) > len(shown)
    title = f"Words of the last {seconds:g} seconds: {', '.join(words) or 'none'}"
    return (
        f'<p class="now">{escape(text_of(shown[-1]) if shown else "Not listening yet")}</p>'
        f'<svg class="rolling" data-seconds="{now:.3f}" role="img" aria-label="{escape(title)}" '
        f'viewBox="0 0 {WIDTH} {height + 28}">{"".join(parts)}</svg>'
        + (f"<p>{escape(NARROWBAND % 'microphone')}</p>" if narrowband else "")
    )


def shorten(word: str) -> str:
    return word if len(word) <= LONGEST else f"{word[: LONGEST - 1]}…"


def text_of(moment: Moment) -> str:
    """The words of a moment: the most likely set, or the most probable word of a model without sets."""
    if moment.answer or not moment.probs:
        return f"Now: {moment.answer}"
    word = max(moment.probs, key=moment.probs.__getitem__)
    return f"Now: {word} ({moment.probs[word]:.1%})"
