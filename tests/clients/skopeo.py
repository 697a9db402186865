"""skopeo as a person at a terminal uses it: its own login file, its own words on failure."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a command ended, and all it said."""

    ok: bool
    out: str
    err: str

    @property
    def said(self) -> str:
        return f"{self.out}\n{self.err}".strip()


class Skopeo:
    """One user's skopeo against one registry (`host:port`); without `login` it is anonymous."""

    def __init__(self, host: str, authfile: Path, *, timeout: float = 120) -> None:
        self.host = host
        self._authfile = authfile
        self._timeout = timeout

    def _run(self, *arguments: str, stdin: str | None = None) -> Outcome:
        done = subprocess.run(
            ["skopeo", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=self._timeout,
            check=False,
        )
        return Outcome(ok=done.returncode == 0, out=done.stdout, err=done.stderr)

    def _signed(self) -> tuple[str, ...]:
        return ("--authfile", str(self._authfile)) if self._authfile.exists() else ()

    def _at(self, name: str) -> str:
        return f"docker://{self.host}/{name}"

    def login(self, username: str, password: str) -> Outcome:
        return self._run(
            "login", "--tls-verify=false", "--authfile", str(self._authfile),
            "--username", username, "--password-stdin", self.host, stdin=password,
        )

    def push(self, layout: Path, tag: str, name: str, *, every_platform: bool = False) -> Outcome:
        """Copies `layout:tag` to `name` (project/repository:tag); `every_platform` sends a whole index."""
        more = ("--all",) if every_platform else ()
        return self._run(
            "--insecure-policy", "copy", "--dest-tls-verify=false", *self._dest_auth(), *more,
            f"oci:{layout}:{tag}", self._at(name),
        )

    def pull(self, name: str, layout: Path, tag: str = "pulled", *, every_platform: bool = False) -> Outcome:
        """Copies `name` into an OCI layout at `layout`."""
        more = ("--all",) if every_platform else ()
        source = tuple(word.replace("--dest-", "--src-") for word in self._dest_auth())
        return self._run(
            "--insecure-policy", "copy", "--src-tls-verify=false", *source, *more,
            self._at(name), f"oci:{layout}:{tag}",
        )

    def delete(self, name: str) -> Outcome:
        """Deletes the manifest that `name` resolves to."""
        return self._run("--insecure-policy", "delete", "--tls-verify=false", *self._signed(), self._at(name))

    def tags(self, repository: str) -> list[str]:
        """The repository's tags; the command must succeed."""
        done = self._run("list-tags", "--tls-verify=false", *self._signed(), self._at(repository))
        assert done.ok, done.said
        tags: list[str] = json.loads(done.out)["Tags"]
        return tags

    def digest(self, name: str) -> str:
        """The digest that `name` resolves to; the command must succeed."""
        done = self._run("inspect", "--format", "{{.Digest}}", "--tls-verify=false", *self._signed(), self._at(name))
        assert done.ok, done.said
        return done.out.strip()

    def _dest_auth(self) -> tuple[str, ...]:
        return ("--dest-authfile", str(self._authfile)) if self._authfile.exists() else ("--dest-no-creds",)
