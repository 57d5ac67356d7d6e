"""Sources of clips and targets; each loads `Splits`."""

from datamodules.competition import CompetitionFolder
from datamodules.speech_commands import SpeechCommands
from datamodules.words import WordFolder

__all__ = ["CompetitionFolder", "SpeechCommands", "WordFolder"]
