"""What the parts of an instance find each other by: flags and files of its run folder."""

from abc import abstractmethod
from pathlib import Path


class RunFolder:
    """The names in a run folder that more than one part has to know. Whoever inherits says where the folder is."""

    __slots__ = ()

    @property
    @abstractmethod
    def run(self) -> Path:
        """The folder."""

    @property
    def readonly_flag(self) -> Path:
        """While this file exists the proxy refuses pushes: the metadata service's, for a disk that fills up."""
        return self.run / "readonly"

    @property
    def collecting_flag(self) -> Path:
        """The same, the registry's parent's: garbage is being collected."""
        return self.run / "collecting"

    @property
    def frozen_flag(self) -> Path:
        """The same, the metadata service's: an administrator has switched to read-only mode."""
        return self.run / "frozen"

    @property
    def proxy_status(self) -> Path:
        """The socket at which nginx tells how many connections it has."""
        return self.run / "proxy-status.sock"

    @property
    def transfers(self) -> Path:
        """Where nginx writes a line for each request of a client's that it passes to the registry."""
        return self.run / "transfers"
