"""conf/data: where clips and their targets come from, and how they reach the network."""

from typing import Annotated, Literal

from pydantic import model_validator
from pydantic.dataclasses import dataclass
from typing_extensions import Self

from overlapped_words.settings.fields import (
    CLOSED,
    OPEN,
    ExistingFolder,
    Fraction,
    Index,
    Path,
    Regex,
    Seed,
    Share,
    Text,
    either,
    list_of,
    pair,
    real,
    text,
    whole,
)
from overlapped_words.settings.options import Options
from overlapped_words.settings.plugin import Plugin

Size = Annotated[int, whole(1, 10_000_000)]
WordList = Annotated[
    list[str], either(list_of(text()), remedy="give a list of words, [apple, pear]; put a number or true in quotes")
]


@dataclass(config=OPEN, kw_only=True)
class Loading:
    """Any source: how its clips reach the network. Its other settings go to the source's constructor."""

    batch_size: Annotated[int, whole(1, 100_000)]
    """Clips per step, over all devices."""
    num_workers: Annotated[int, whole(0, 1024)]
    """Processes that read ahead; 0 reads in the training process."""
    cache: Literal["auto", "features", "waveforms"]
    """`features`: read them from disk; `waveforms`: compute features at every step; `auto`: by device."""
    device_cache: Literal["auto", "features", "waveforms", "none"]
    """What is stored in GPU memory; `auto`: the first of these that fits in half of it."""
    cache_dir: Path
    """Folder of the arrays that all runs share."""
    source: Plugin
    """The class that loads the clips."""


@dataclass(config=CLOSED, kw_only=True)
class Competition(Loading):
    """Mixtures with targets to train on, mixtures without to predict."""

    root: ExistingFolder
    """The folder with train/, train_answer.csv, test/ and submission.csv."""
    val_fraction: Share
    """Fraction of the training clips for validation; 0 trains on all."""
    fold: Index | None
    """Which of the round(1 / val_fraction) folds is for validation; null: a plain split."""
    split_seed: Seed
    """Seed of the split, the same for all members of an ensemble."""

    @model_validator(mode="after")
    def check_fold(self) -> Self:
        _check_fold(self.val_fraction, self.fold)
        return self


NumWords = Annotated[
    int | list[int],
    either(whole(1), pair(whole(0), ""), remedy="give a whole number from 1 on, or a range such as [0,4]"),
]


@dataclass(config=OPEN, kw_only=True)
class Mixing(Loading):
    """Clips mixed from recordings of single words."""

    k: NumWords | None
    """Different words in a clip: a number or a range, [0,4] also none; null: 4, or 1 to all of at most 4 words."""
    gain_db: Annotated[float, real(0, 100)]
    """Each word is attenuated by 0 to this many dB."""
    offset: Annotated[float, real(0, 1)]
    """Each word is shifted by up to this many seconds, earlier or later."""
    speed: Annotated[float, real(0, 4)]
    """Speed perturbation in training: each word is played up to this share faster or slower."""
    speed_speakers: Annotated[int, whole(1)] | None
    """Words with more training speakers than this are not perturbed; null: all words are."""
    curriculum: Fraction
    """Fraction of the epochs over which k rises from 1 to its value."""
    background: ExistingFolder | None
    """Recordings of noise and other sounds, mixed into half of the clips; null: if k is from 0, noise."""
    unknown: ExistingFolder | None
    """Recordings of other words, mixed into clips with fewer words than the maximum of k; null: words backward."""
    speaker_regex: Regex
    """Its first group, found in a file's name, is the speaker; no speaker is in two splits."""
    val_fraction: Share
    """Fraction of the speakers for validation."""
    test_fraction: Share
    """Fraction of the speakers for the test split."""
    fold: Index | None
    """Which of the round(1 / val_fraction) folds of the speakers is for validation; null: a plain split."""
    train_size: Size
    """Mixtures per epoch, new ones in every epoch."""
    val_size: Size
    """Fixed mixtures for validation."""
    test_size: Size
    """Fixed mixtures for the test split."""
    split_seed: Seed
    """Seed of the split and of the fixed mixtures, the same for all members of an ensemble."""
    submission: ExistingFolder | None
    """A competition's folder whose test clips are predicted instead of mixtures."""

    @model_validator(mode="after")
    def check_fold(self) -> Self:
        _check_fold(self.val_fraction, self.fold)
        return self


@dataclass(config=CLOSED, kw_only=True)
class Words(Mixing):
    """A folder with one subfolder of recordings per word."""

    root: ExistingFolder
    """The folder, root/<word>/<recording>."""


@dataclass(config=CLOSED, kw_only=True)
class SpeechCommands(Mixing):
    """Google Speech Commands v0.01, downloaded."""

    root: Path
    """Where the download goes; 1.4 GB."""


@dataclass(config=CLOSED, kw_only=True)
class Synthetic(Mixing):
    """Words spoken by eSpeak NG, and by people."""

    words: WordList | None
    """What to say, [apple, pear]; null: the thirty English words of Speech Commands."""
    language: Text
    """Code of the words' language, such as de; `python -m datamodules.voices` lists them."""
    num_voices: Annotated[int, whole(1, 1000)]
    """Voices, each of which counts as a speaker."""
    takes: Annotated[int, whole(1, 1000)]
    """Recordings of each word by each voice."""
    root: ExistingFolder | None
    """A folder of recordings of some of the words by people, root/<word>/<recording>."""


def _check_fold(val_fraction: float, fold: int | None) -> None:
    if fold is None:
        return
    num_folds = round(1 / val_fraction) if val_fraction else 0
    if num_folds < 2:
        raise ValueError(
            f"val_fraction is {val_fraction}, which makes no folds; "
            "choose a fraction above 0, up to 0.5 (0.2 makes five), or fold=null"
        )
    if fold >= num_folds:
        raise ValueError(
            f"fold is {fold}, with {num_folds} folds (val_fraction={val_fraction}); "
            f"choose 0 to {num_folds - 1}, or null"
        )


Data = Annotated[
    Loading,
    Options(
        "source._target_",
        {
            "datamodules.sources.CompetitionFolder": Competition,
            "datamodules.sources.WordFolder": Words,
            "datamodules.sources.SpeechCommands": SpeechCommands,
            "datamodules.synthetic.Synthetic": Synthetic,
        },
    ),
]
