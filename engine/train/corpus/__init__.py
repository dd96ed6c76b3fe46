"""Code to learn from: found, judged, and made into a corpus. This is the door for all but that."""

from engine.train.corpus.sources import SourceFile, source_files

__all__ = ["SourceFile", "source_files"]
