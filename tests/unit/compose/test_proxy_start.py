"""How the proxy is started: with SCHED_BATCH where the system lets it, and in any case."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from compose.docker.site import container_site
from compose.local.layout import Layout
from compose.local.parts import parts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """That of the proxy, with a program in nginx's place that tells its policy."""
    for name in [name for name in os.environ if name.startswith("BREAKWATER_")]:
        monkeypatch.delenv(name)
    nginx = tmp_path / "nginx"
    nginx.write_text(f"#!{sys.executable}\nimport os, sys\nprint(os.sched_getscheduler(0), *sys.argv[1:])\n")
    nginx.chmod(0o755)
    site = container_site()
    site = dataclasses.replace(
        site, layout=Layout(tmp_path / "home"), binaries=dataclasses.replace(site.binaries, nginx=nginx)
    )
    return [*next(part for part in parts(site) if part.name == "proxy").command]


def told(command: list[str], path: str) -> list[str]:
    done = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_it_takes_no_core_from_others_when_it_is_woken(command: list[str]) -> None:
    assert told(command, os.defpath)[:3] == [str(os.SCHED_BATCH), "-e", "stderr"]


def test_it_is_started_where_the_system_refuses_that(command: list[str], tmp_path: Path) -> None:
    refusing = tmp_path / "chrt"
    refusing.write_text("#!/bin/sh\necho 'chrt: failed to set policy' >&2; exit 1\n")
    refusing.chmod(0o755)
    assert told(command, f"{tmp_path}:{os.defpath}")[:3] == [str(os.SCHED_OTHER), "-e", "stderr"]
