"""Sources of clips and targets; each loads `Splits`."""

from datamodules.competition import CompetitionFolder
from datamodules.words import SpeechCommands, WordFolder

__all__ = ["CompetitionFolder", "SpeechCommands", "WordFolder"]
