"""Where things lie: one home an instance, and a run folder short enough for unix sockets."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from compose.local.options import CHECKOUT
from shared.errors import ConfigurationError
from shared.runfolder import RunFolder

LONGEST_SOCKET = 100
"""A unix socket's path may have 107 bytes; the longest name in the run folder has to fit."""
LONGEST_NAME = len("/supervisor.sock.12345678")
REGISTRIES = {"writable": "registry.yml", "readonly": "registry-readonly.yml"}
"""The registry, and the one that stands in for it while garbage is collected."""
REGISTRYCTL = "registryctl.json"
"""What the registry's parent is told."""
DEFINITIONS = "rabbitmq-definitions.json"
"""What the broker is told: users, queues and rights."""
USERS = "rabbitmq-users.json"
"""The same without queues, for the nodes of a cluster: with anything to load, none of them makes a user of its own."""


@dataclass(frozen=True)
class Layout(RunFolder):
    """The folders and well-known files of an instance."""

    home: Path
    code: Path = CHECKOUT

    @cached_property
    def id(self) -> str:
        """A short name, the same for the same home."""
        return hashlib.sha256(os.fsencode(self.home)).hexdigest()[:8]

    @cached_property
    def run(self) -> Path:
        """Sockets, pid files and flags: nothing in it outlives a stop."""
        inside = self.home / "run"
        if len(os.fsencode(inside)) + LONGEST_NAME <= LONGEST_SOCKET:
            return inside
        if os.geteuid() == 0:
            return Path("/run") / f"breakwater-{self.id}"
        return Path(tempfile.gettempdir()) / f"breakwater-{os.geteuid()}-{self.id}"

    @property
    def conf(self) -> Path:
        """The rendered templates."""
        return self.home / "conf"

    @property
    def secrets(self) -> Path:
        """Secret files, each readable by its readers."""
        return self.home / "secrets"

    @property
    def registry_conf(self) -> Path:
        """Where the registry's configuration lies: it holds secrets, and has its one reader as they do."""
        return self.secrets / "registry"

    @property
    def broker_conf(self) -> Path:
        """Where the broker's users and their passwords' digests lie, by the same rule."""
        return self.secrets / "rabbitmq"

    @property
    def log(self) -> Path:
        """The log's one place."""
        return self.home / "log"

    @property
    def spool(self) -> Path:
        """What the parts said last, before rsyslogd took it over."""
        return self.log / "spool"

    @property
    def database(self) -> Path:
        """PostgreSQL's data: a folder in one that it owns, so that a new one takes its place by its name."""
        return self.home / "postgres" / "data"

    @property
    def broker(self) -> Path:
        """RabbitMQ's data and cookie."""
        return self.home / "rabbitmq"

    @property
    def registry(self) -> Path:
        """The registry's storage."""
        return self.home / "registry"

    @property
    def work(self) -> Path:
        """Temporary files of the parts."""
        return self.home / "work"

    @property
    def restored_dump(self) -> Path:
        """A database that a restore has laid here, until the next `up` has taken it over."""
        return self.home / "restored" / "database.dump"

    @property
    def restoring_flag(self) -> Path:
        """Exists while a restore lays things here, and after one that did not end."""
        return self.restored_dump.with_name("unfinished")

    @property
    def own_folders(self) -> tuple[Path, ...]:
        """All that an instance makes and nobody else puts anything into."""
        return (
            self.run, self.conf, self.secrets, self.log, self.work, self.database.parent, self.broker, self.registry,
            self.restored_dump.parent,
        )  # fmt: skip

    @property
    def supervisor_socket(self) -> Path:
        """Where supervisord is spoken to."""
        return self.run / "supervisor.sock"

    @property
    def admin_password(self) -> Path:
        """The administrator's first password."""
        return self.secrets / "admin-password"

    @property
    def certificate(self) -> Path:
        """The proxy's own copy of its certificate, with the key behind it: one file, so that it is replaced at once."""
        return self.secrets / "proxy" / "tls.pem"

    @property
    def public_certificate(self) -> Path:
        """The same without the key, for whoever hands the authority's out."""
        return self.conf / "tls.crt"

    @property
    def made_certificate(self) -> Path:
        """Where an authority of our own and what it made lies."""
        return self.secrets / "tls"

    @property
    def instance_id(self) -> Path:
        """The namespace of event ids; made at first start, never changed."""
        return self.home / "instance-id"


def refuse_closed_folders(*folders: Path) -> None:
    """Unprivileged children have to reach these folders. Raises ConfigurationError that names the closed one."""
    for folder in folders:
        for step in (folder, *folder.parents):
            if step.exists() and not step.stat().st_mode & 0o001:
                raise ConfigurationError(
                    f"{folder} cannot be used: the unprivileged users that the parts run as may not enter {step}"
                )
