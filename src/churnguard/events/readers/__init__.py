"""Readers of files: one file each, found by the endings that they name.

A new format is a new module in this folder with a function decorated by :func:`reader`. A reader
yields chunks of rows as they stand in the file; it neither types nor judges them.
"""

from __future__ import annotations

from churnguard.events.readers.chunks import BrokenRow, Chunk, ReadOptions
from churnguard.events.readers.registry import endings, read_file, reader

__all__ = ["BrokenRow", "Chunk", "ReadOptions", "endings", "read_file", "reader"]
