"""Sources of clips and targets; each loads `Splits`."""

from pathlib import Path

from torchaudio.datasets import SPEECHCOMMANDS

from datamodules.clips import Splits
from datamodules.competition import CompetitionFolder
from datamodules.words import WordFolder
from overlapped_words.errors import DataError

__all__ = ["CompetitionFolder", "SpeechCommands", "WordFolder"]


class SpeechCommands(WordFolder):
    """Google Speech Commands v0.01 (30 words, arXiv 1804.03209) as a `WordFolder`, downloaded to `root` once."""

    def load(self, cache_dir: Path, seed: int) -> Splits:
        download = self.root
        try:
            download.mkdir(parents=True, exist_ok=True)
            SPEECHCOMMANDS(download, url="speech_commands_v0.01", download=True)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"{download}: cannot download Speech Commands ({error}); "
                "check the network and the free disk space, or set data.root to another folder"
            ) from error
        self.root = download / "SpeechCommands" / "speech_commands_v0.01"
        return super().load(cache_dir, seed)
