"""Where clips and their answers come from; every source gives `Splits`."""

from datamodules.competition import CompetitionFolder
from datamodules.words import SpeechCommands, WordFolder

__all__ = ["CompetitionFolder", "SpeechCommands", "WordFolder"]
