"""Renders an instance's configuration from the shared templates, and tells which parts a change of it touches."""

import hashlib
import json
import os
import resource
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from compose.conf import views
from compose.conf.render import render
from compose.local.accounts import Account, Accounts
from compose.local.bucket import bucket_of
from compose.local.credentials import passwords
from compose.local.layout import DEFINITIONS, REGISTRIES, REGISTRYCTL, USERS
from compose.local.parts import PARTS, Part, broker_node, parts
from compose.local.processes import HOME_VARIABLE, PART_VARIABLE
from compose.local.site import PORT_OF_SOCKET, Site
from shared.messaging import topology
from shared.replicas import numbered
from shared.secrets import Secret

MOST_OPEN_FILES = 65_536
SUPERVISOR = "supervisor"
_LAY_OPEN = (*REGISTRIES.values(), REGISTRYCTL, DEFINITIONS, USERS)
"""Files with secrets that earlier versions laid beside all others."""
_RUN_ONCE = ("prepare", "migrate", "cluster")
"""Containers that end when they have done their work: what they say, or complain of, is in the log too."""


@dataclass(frozen=True, kw_only=True)
class File:
    """A configuration file, who owns it and who may read it."""

    path: Path
    text: str
    owner: Account = Account.OPERATOR
    mode: int = 0o644


def configure(site: Site, accounts: Accounts) -> Mapping[str, str]:
    """Write the configuration; returns a fingerprint of what each part, and the supervisor, stands on.

    A part whose fingerprint differs from the one it was started with has to be restarted.
    """
    children = parts(site)
    conf = site.layout.conf
    for file in _files(site, accounts, children):
        _write(file, accounts)
    for name in _LAY_OPEN:
        conf.joinpath(name).unlink(missing_ok=True)
    lock = _digest([site.layout.code / "requirements.txt"])
    return {SUPERVISOR: _digest([conf / "supervisord.conf"], lock)} | {
        part.name: _digest([*part.conf, *_sources(site, part)], lock if part.code else "")
        for part in children
    }


def open_files() -> int:
    """How many files the parts may hold open: what the machine allows, up to a sensible number."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MOST_OPEN_FILES, hard)


def _files(site: Site, accounts: Accounts, children: tuple[Part, ...]) -> list[File]:
    layout = site.layout
    conf, definitions, users = layout.conf, layout.broker_conf / DEFINITIONS, layout.broker_conf / USERS
    broker = views.broker(
        listen=f"{site.broker_address}:{site.ports.amqp}",
        # what a node makes before the others are there is on it alone, and stays so: its queues come later
        definitions=users if site.brokers else definitions,
        nodes=[broker_node(host) for host in site.brokers],
    )
    return [
        File(path=conf / "nginx.conf", text=render("nginx.conf", _proxy(site))),
        *(
            _secret(layout.registry_conf / name, render("registry.yml", _registry(site, kind)))
            for kind, name in REGISTRIES.items()
        ),
        _secret(layout.registry_conf / REGISTRYCTL, _registryctl(site)),
        File(path=conf / "postgresql.conf", text=render("postgresql.conf", _database(site))),
        File(path=conf / "pg_hba.conf", text=render("pg_hba.conf", {"networks": ()})),
        File(path=conf / "rabbitmq.conf", text=render("rabbitmq.conf", broker)),
        File(
            path=conf / "rabbitmq-advanced.config",
            text=render(
                "rabbitmq-advanced.config",
                {"distribution_interface": "{0,0,0,0}" if site.brokers else "{127,0,0,1}"},
            ),
        ),
        File(path=conf / "rabbitmq-plugins", text="[].\n"),
        File(path=conf / "rabbitmq-env.conf", text=""),
        *(
            _secret(file, _definitions(site, file, kinds))
            for file, kinds in ((definitions, None), (users, topology.WITHOUT_QUEUES))
            if kinds is None or site.brokers
        ),
        File(path=conf / "rsyslog.conf", text=render("rsyslog.conf", _log(site))),
        File(path=conf / "rotate.sh", text=render("rotate.sh", {"kept": views.LOG_FILES_KEPT}), mode=0o755),
        File(
            path=conf / "supervisord.conf",
            text=render("supervisord.conf", _supervisor(site, accounts, children)),
            mode=0o600,
        ),
    ]


def _secret(path: Path, text: str) -> File:
    """As every secret of whoever keeps data."""
    return File(path=path, text=text, owner=Account.DATA, mode=0o600)


def _proxy(site: Site) -> views.View:
    layout, options = site.layout, site.options
    host = f"[{options.bind}]" if options.bind.version == 6 else str(options.bind)  # noqa: PLR2004 - the IP version
    sockets = {"registry": "registry", "core": "core", "token": "token", "events": "stream"}
    certificate = views.Certificate(
        file=layout.certificate,
        nginx_version=site.binaries.nginx_version,
    )
    return views.proxy(
        listen=f"{host}:{options.port}",
        upstreams={
            name: [f"unix:{layout.run}/{numbered(socket, number)}.sock" for number in _numbers(site, name)]
            for name, socket in sockets.items()
        },
        public_url=str(options.url).rstrip("/") if options.url else None,
        tls=certificate if options.tls else None,
        redirect=_redirect(site, host),
        pid_file=layout.run / "proxy.pid",
        temporary=layout.work / "proxy",
        readonly_flag=layout.readonly_flag,
        collecting_flag=layout.collecting_flag,
        frozen_flag=layout.frozen_flag,
        status_socket=layout.proxy_status,
        transfers=layout.transfers,
        access_log="/dev/stdout" if site.contained else f"syslog:server=unix:{site.log_socket},nohostname,tag=proxy",
        open_files=open_files(),
        downloads=site.layers_at_once,
    )


def _redirect(site: Site, host: str) -> views.Redirect | None:
    """In a container the ports are others than outside, where TLS is at its own port unless the address says more."""
    options = site.options
    if not options.redirect_port:
        return None
    return views.Redirect(
        listen=f"{host}:{options.redirect_port}", port=views.PORT_OF_HTTPS if site.contained else options.port
    )


def _numbers(site: Site, upstream: str) -> range:
    """Those of the processes that the proxy shares an upstream's requests out among; of the registry there is one."""
    return range(1, 2 if upstream == "registry" else site.replicas + 1)


def _registry(site: Site, kind: str) -> views.View:
    layout, options = site.layout, site.options
    return views.registry(
        version=site.binaries.registry_version,
        readonly=kind == "readonly",
        socket=layout.run / f"registry-{kind}.sock",
        address="",
        storage=bucket_of(layout, options) or layout.registry,
        http_secret=Secret.read(layout.secrets / "registry" / "http-secret").reveal(),
        public_url=str(options.url).rstrip("/") if options.url else None,
        bundle=layout.secrets / "registry" / "bundle.pem",
        intake_url=f"http://{site.intake}:{site.ports.intake}/service/notifications",
        notification_token=Secret.read(layout.secrets / "intake" / "notification-token").reveal(),
        alone=site.pods == 1,
    )


def _registryctl(site: Site) -> str:
    """What the registry's parent is told: of the credential that commands it, only what it is compared with."""
    layout = site.layout
    credential = Secret.read(layout.secrets / "metadata" / "registryctl-credential").reveal()
    plan = {
        "program": str(site.binaries.registry),
        **{kind: str(layout.registry_conf / name) for kind, name in REGISTRIES.items()},
        "run": str(layout.run),
        "storage": str(layout.registry),
        "bucket": asdict(bucket) if (bucket := bucket_of(layout, site.options)) else None,
        "fingerprint": hashlib.sha256(credential.encode()).hexdigest(),
    }
    return json.dumps(plan, indent=1) + "\n"


def _database(site: Site) -> views.View:
    return views.database(
        socket_folder=site.database_socket, hba_file=site.layout.conf / "pg_hba.conf", port=PORT_OF_SOCKET,
        processes=site.options.processes, replicas=site.replicas,
    )


def _log(site: Site) -> views.View:
    layout = site.layout
    return views.log(
        folder=layout.log,
        state=layout.log / "state",
        rotate=layout.conf / "rotate.sh",
        parts=(*PARTS, *(_RUN_ONCE if site.contained else ())),
        spools={part: layout.spool / f"{part}.log" for part in PARTS if part != "log"} if not site.contained else {},
        socket=site.log_socket,
        engine_asks=site.contained,
        forward=site.options.log_forward,
    )


def _definitions(site: Site, existing: Path, kinds: Collection[str] | None) -> str:
    """The broker's definitions, or those of some kinds.

    Passwords are salted anew each time: a file that says the same is left as it is.
    """
    found = passwords(site.layout, topology.USERS, "amqp-password")
    outside = {"vhost": site.options.amqp_vhost, "users": site.options.amqp_users} if site.options.amqp_host else {}
    fresh = topology.definitions(found, **outside)
    if kinds is not None:
        fresh = {kind: each for kind, each in fresh.items() if kind in kinds}
    try:
        text = existing.read_text(encoding="utf-8")
        before = json.loads(text)
    except (OSError, ValueError):
        return json.dumps(fresh, indent=1) + "\n"
    return text if _unsalted(before) == _unsalted(fresh) else json.dumps(fresh, indent=1) + "\n"


def _unsalted(definitions: Mapping[str, object]) -> dict[str, object]:
    users = definitions.get("users")
    names = [user.get("name") for user in users if isinstance(user, dict)] if isinstance(users, list) else []
    return {**definitions, "users": names}


def _supervisor(site: Site, accounts: Accounts, children: tuple[Part, ...]) -> views.View:
    layout = site.layout
    return {
        "socket": layout.supervisor_socket,
        "logfile": layout.log / "supervisord.log",
        "pid_file": layout.run / "supervisord.pid",
        "spool": layout.spool,
        "spool_bytes": views.SPOOL_FILE_BYTES,
        "spool_kept": views.SPOOL_FILES_KEPT,
        "open_files": open_files(),
        "user": accounts.user(Account.OPERATOR),
        "parts": [
            {
                "name": part.name,
                "command": _escaped(part.command_line),
                "directory": _escaped(str(part.directory)),
                "environment": _environment(site, part),
                "user": accounts.user(part.account),
                "umask": part.umask,
                "start_seconds": part.start_seconds,
                "stop_signal": part.stop_signal,
                "stop_seconds": part.stop_seconds,
            }
            for part in children
        ],
    }


def _environment(site: Site, part: Part) -> str:
    """As supervisord reads it. The first two variables are how a lost child is found again."""
    marks = {HOME_VARIABLE: str(site.layout.home), PART_VARIABLE: part.name}
    values = marks | dict(part.environment)
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(values.items()))


def _escaped(text: str) -> str:
    """Supervisord expands percent signs."""
    return text.replace("%", "%%")


def _write(file: File, accounts: Accounts) -> None:
    """Replace the file whole; a secret in it is never readable by others, not even for a moment."""
    descriptor, beside = tempfile.mkstemp(dir=file.path.parent, prefix=f".{file.path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(file.text)
    accounts.give(Path(beside), file.owner, file.mode)
    Path(beside).replace(file.path)


def _sources(site: Site, part: Part) -> Iterable[Path]:
    for name in part.code:
        path = site.layout.code / name
        files = [path] if path.is_file() else sorted(found for found in path.rglob("*") if found.is_file())
        yield from (file for file in files if "__pycache__" not in file.parts)


def _digest(files: Iterable[Path], *also: str) -> str:
    digest = hashlib.sha256()
    for text in also:
        digest.update(text.encode())
    for file in files:
        digest.update(file.name.encode())
        try:
            digest.update(file.read_bytes())
        except FileNotFoundError:
            digest.update(b"-")
    return digest.hexdigest()
