"""An instance as an object, for tests and benchmarks: the same verbs that people type, each in a process of its own."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from compose.local import processes
from compose.local.layout import Layout
from compose.local.options import CHECKOUT
from compose.local.supervision import Supervisor
from shared.errors import BreakwaterError

_VERB_SECONDS = 300.0


class VerbFailed(BreakwaterError):
    """A verb ended with an exit code; the sentence is what it said."""

    code = "VERB_FAILED"


@dataclass(frozen=True, kw_only=True)
class Instance:
    """An instance with a home of its own, which unprivileged users must be able to enter."""

    home: Path
    port: int
    variables: dict[str, str] = field(default_factory=dict)
    """More settings, such as BREAKWATER_TLS_CERT."""

    @property
    def layout(self) -> Layout:
        """Where its things lie."""
        return Layout(self.home)

    @property
    def environment(self) -> dict[str, str]:
        """What a verb of this instance is run with; nothing of the caller's own instance is in it."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BREAKWATER_")}
        mine = {"BREAKWATER_HOME": str(self.home), "BREAKWATER_PORT": str(self.port), "PYTHONPATH": str(CHECKOUT)}
        return inherited | mine | self.variables

    @property
    def url(self) -> str:
        """Where the proxy answers."""
        scheme = "https" if self.variables.keys() & {"BREAKWATER_TLS_CERT", "BREAKWATER_TLS_NAMES"} else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def admin_password(self) -> str:
        """The administrator's first password."""
        return self.layout.admin_password.read_text(encoding="utf-8").strip()

    def command(self, *arguments: str) -> list[str]:
        """`breakwater …`, as it is run once the virtual environment is there."""
        return [sys.executable, "-P", "-m", "compose.cli", *arguments]

    def run(self, *arguments: str, seconds: float = _VERB_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run `breakwater …` of this instance, whatever its exit code."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment, capture_output=True, text=True, check=False, timeout=seconds, cwd="/",
        )  # fmt: skip

    def up(self) -> None:
        """Start it, without the tour. Raises VerbFailed with the sentence that `up` ends with."""
        self._checked("up", "--no-tour")

    def down(self) -> None:
        """Stop it; the data stays."""
        self._checked("down")

    def destroy(self) -> None:
        """Stop it and remove its data."""
        self._checked("destroy", "--yes")

    def pids(self, part: str) -> list[int]:
        """A part's process and its descendants; none where it does not run."""
        root = Supervisor(self.layout).children()[part].pid
        return processes.tree(root) if root else []

    def kill_part(self, part: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the part and its descendants; the supervisor starts it again."""
        for pid in self.pids(part):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop_part(self, part: str) -> None:
        """Stop one part and leave it stopped."""
        Supervisor(self.layout).stop([part])

    def start_part(self, part: str) -> None:  # noqa: ARG002
        """Start one part again and wait until the instance is healthy."""
        self._checked("up", "--no-tour")

    def restart(self, part: str) -> None:
        """Stop and start one part, and wait until the instance is healthy."""
        self.stop_part(part)
        self.start_part(part)

    def _checked(self, *arguments: str) -> None:
        done = self.run(*arguments)
        if done.returncode:
            raise VerbFailed(f"breakwater {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
