"""The programs of Debian's packages, and how old they are."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shared.errors import ConfigurationError

RABBITMQ = Path("/usr/lib/rabbitmq/bin")
"""The programs themselves: the wrappers in /usr/sbin change user and folder."""
_PLACES = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """Where each program is."""

    postgresql: Path
    rabbitmq: Path
    registry: Path
    registry_version: int
    nginx: Path
    nginx_version: tuple[int, int]
    rsyslogd: Path


def find_binaries(*, registry: Path | None, data: Path) -> Binaries:
    """Look for what an instance needs. Raises ConfigurationError that names the package that is missing."""
    if not RABBITMQ.joinpath("rabbitmq-server").exists():
        raise ConfigurationError("RabbitMQ is not installed: the package is rabbitmq-server")
    registry_program = registry or _program("docker-registry", package="docker-registry")
    nginx = _program("nginx", package="nginx")
    return Binaries(
        postgresql=_postgresql(data),
        rabbitmq=RABBITMQ,
        registry=registry_program,
        registry_version=_version(registry_program)[0],
        nginx=nginx,
        nginx_version=_version(nginx),
        rsyslogd=_program("rsyslogd", package="rsyslog"),
    )


def _program(name: str, *, package: str) -> Path:
    found = shutil.which(name, path=_PLACES)
    if found is None:
        raise ConfigurationError(f"{name} is not installed: the package is {package}")
    return Path(found)


def _postgresql(data: Path) -> Path:
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    installed = {folder.parent.name: folder for folder in folders if (folder / "initdb").exists()}
    if not installed:
        raise ConfigurationError("PostgreSQL is not installed: the package is postgresql")
    try:
        wanted = data.joinpath("PG_VERSION").read_text(encoding="ascii").strip()
    except OSError:
        return installed[max(installed, key=int)]
    if wanted not in installed:
        raise ConfigurationError(f"the data in {data} is PostgreSQL {wanted}'s, which is not installed")
    return installed[wanted]


@cache
def _version(program: Path) -> tuple[int, int]:
    """Major and minor version, from what the program says of itself."""
    option = "-v" if program.name == "nginx" else "--version"
    try:
        done = subprocess.run([program, option], capture_output=True, text=True, check=False, timeout=10)
    except OSError as error:
        raise ConfigurationError(f"{program} cannot be run: {error.strerror}") from error
    match = re.search(r"\bv?(\d+)\.(\d+)", done.stdout + done.stderr)
    if match is None:
        raise ConfigurationError(f"{program} does not tell its version")
    return int(match[1]), int(match[2])
