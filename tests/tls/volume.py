"""Files as Kubernetes mounts a secret: links through `..data`, which is swapped as a whole."""

import itertools
from collections.abc import Mapping
from pathlib import Path


class Volume:
    """A mounted secret; its keys are there from the first content on."""

    def __init__(self, directory: Path, content: Mapping[str, bytes]) -> None:
        directory.mkdir()
        self.directory = directory
        self._turns = itertools.count()
        self.swap(content)
        for name in content:
            (directory / name).symlink_to(Path("..data") / name)

    def swap(self, content: Mapping[str, bytes]) -> None:
        """Show other content, all of it at once."""
        new = self.directory / f"..{next(self._turns)}"
        new.mkdir()
        for name, text in content.items():
            (new / name).write_bytes(text)
        link = self.directory / "..data_tmp"
        link.symlink_to(new.name)
        link.replace(self.directory / "..data")
