"""A parcel: some files of a project as bytes, for work on machines that do not have the project.

What a worker needs of a project are a few small files: the shop's own signals, a signed bundle, the
playbook. They travel with the work and are unpacked only while they are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from churnguard.project.layout import Layout


@dataclass(frozen=True)
class Parcel:
    """Files of a project.

    Attributes
    ----------
    files : tuple of (str, bytes)
        Paths relative to the project's folder, and what the files hold.
    """

    files: tuple[tuple[str, bytes], ...]

    @classmethod
    def pack(cls, layout: Layout, *places: Path) -> Parcel:
        """Take files, and all files of folders.

        Parameters
        ----------
        layout : Layout
            The project.
        *places : Path
            Files and folders in it; one that is not there is left out.
        """
        found = (
            file
            for place in places
            for file in ([place] if place.is_file() else sorted(place.rglob("*")))
            if file.is_file() and "__pycache__" not in file.parts
        )
        return cls(
            tuple((file.relative_to(layout.root).as_posix(), file.read_bytes()) for file in found)
        )

    @contextmanager
    def unpacked(self) -> Iterator[Layout]:
        """Give a project that holds these files, until the block ends.

        Examples
        --------
        >>> with Parcel((("serving/playbook.toml", b"[actions]"),)).unpacked() as layout:
        ...     layout.playbook.read_bytes()
        b'[actions]'
        """
        with TemporaryDirectory(prefix="churnguard-") as folder:
            root = Path(folder)
            for name, content in self.files:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(content)
            yield Layout(root)
