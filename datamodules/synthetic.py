"""Words from text: a word folder that voices of eSpeak NG speak, and people where there are recordings."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le, MinLen

from datamodules.audio_files import find_words
from datamodules.clips import Splits
from datamodules.corpus import WORDS, clean_words, speak_corpus
from datamodules.other_speech import speak_other
from datamodules.speakers import check_k, find_speakers, split_speakers
from datamodules.words import WordFolder
from overlapped_words.errors import DataError
from overlapped_words.messages import first_names
from overlapped_words.settings.fields import Text

log = logging.getLogger(__name__)

NO_SPEECH = (
    "data.unknown is null: the network learns to ignore only speech by synthetic voices; for far fewer false alarms, "
    "set it to a folder of recordings, of any length, of people who say none of the words"
)
VOICE = "^([^_]+)_"  # the speaker in the file names of the corpus


class Synthetic(WordFolder):
    """Words in `num_voices` voices of eSpeak NG, each spoken `takes` times, and by people; mixed as in `WordFolder`.

    Args:
        num_voices: each of them counts as a speaker.
        takes: recordings of each word by each voice.
        words: what to say; None: the words of Google Speech Commands v0.01.
        language: of the words, a code of eSpeak NG.
        root: a word folder of people who say some of the words, or None. People are split as voices are, if there are
            more of them than held-out splits; fewer are all in the training split. In a held-out split, a word that
            people say is not spoken by voices.
        mixing: see `WordFolder`; `speaker_regex` is for `root`. Where clips may have no words and there is no
            `unknown`, the voices say other things, too: see `speak_other`.
    """

    def __init__(
        self,
        num_voices: Annotated[int, Ge(1), Le(1000)],
        takes: Annotated[int, Ge(1), Le(1000)],
        words: Annotated[Sequence[Text], MinLen(1)] | None = None,
        language: Text = "en",
        root: Text | None = None,
        **mixing: Any,
    ) -> None:
        super().__init__(root="", **mixing)
        if words is None and not language.lower().startswith("en"):
            raise DataError(f"data.language is {language}, but the default words are English; give data.words=[...]")
        self.num_voices, self.takes, self.language = num_voices, takes, language
        self.words = clean_words(WORDS if words is None else words)
        self.people = None if root is None else Path(root).expanduser()

    def load(self, cache_dir: Path, seed: int) -> Splits:
        min_k, _ = check_k(self.k, self.words, "data.words")  # before they are spoken
        self.root = speak_corpus(cache_dir, self.words, self.language, self.num_voices, self.takes)
        if min_k == 0 and not (self.unknown or self.limit):
            log.warning(NO_SPEECH)
            self.unknown = [speak_other(cache_dir, self.words, self.language, self.num_voices)]
            self.other_regex = VOICE
        if self.people and min_k == 0 and (noise := self.people / "_background_noise_").is_dir():
            self.background = self.background or [noise]
        return super().load(cache_dir, seed)

    def _recordings(self) -> tuple[list[str], list[Path], np.ndarray]:
        names, paths, labels = super()._recordings()
        if self.people is None:
            return names, paths, labels
        remedy = "set data.root to a folder with one subfolder of recordings per word, or to null"
        words, by_people, label_of = find_words(self.people, remedy)
        if other := [str(self.people / word) for word in words if word not in names]:
            raise DataError(f"{first_names(other)}: not in data.words; add the words there, or remove the folders")
        labels = np.concatenate([labels, np.array([names.index(word) for word in words])[label_of]])
        return names, [*paths, *by_people], labels

    def _split(self, paths: Sequence[Path], labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As for a word folder, voices and people each on their own; voices that a split does not need are "unused"."""
        num_spoken = sum(path.is_relative_to(self.root) for path in paths)
        voices = find_speakers(paths[:num_spoken], VOICE)
        people = find_speakers(paths[num_spoken:], self.speaker_regex)
        split = partial(split_speakers, fractions=self.fractions, fold=self.fold, seed=self.split_seed)
        split_of = split(voices, labels[:num_spoken]).astype(object)
        if not len(people):
            return voices, split_of
        held_out = [name for name, share in self.fractions.items() if share]
        if len(set(people)) > len(held_out):
            people_split = split(people, labels[num_spoken:]).astype(object)
        else:
            people_split = np.full(len(people), "train", object)
        for name in held_out:
            by_people = labels[num_spoken:][people_split == name]
            split_of[(split_of == name) & np.isin(labels[:num_spoken], by_people)] = "unused"
        return np.concatenate([voices, people]), np.concatenate([split_of, people_split])
