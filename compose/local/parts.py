"""The parts of an instance: what each runs, as whom, and what its fate depends on. The one list of them."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from compose.local.accounts import Account
from compose.local.layout import DEFINITIONS, REGISTRIES, REGISTRYCTL
from compose.local.options import MEMORY_OF_A_DOWNLOAD
from compose.local.site import INFRASTRUCTURE, LOOPBACK, PARTS, SERVICES, Site
from shared.replicas import numbered

__all__ = ["INFRASTRUCTURE", "PARTS", "SERVICES", "STOP_ORDER", "Part", "broker_node", "parts", "rabbitmq_environment"]

LOWEST_FREE_PORT = 1024
_WITH_LOW_PORTS = (
    "/usr/bin/setpriv", f"--reuid={Account.PARTS}", f"--regid={Account.PARTS}", "--init-groups",
    *(f"--{kind}=-all,+net_bind_service" for kind in ("bounding-set", "inh-caps", "ambient-caps")),
)  # fmt: skip
"""Takes every right of root's away but one."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One child of the supervisor."""

    name: str
    command: tuple[str, ...]
    account: Account
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    code: tuple[str, ...] = ()
    """Packages and files whose change asks for a restart; empty for what is no Python of ours."""
    conf: tuple[Path, ...] = ()
    """Rendered files whose change asks for a restart."""
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    start_seconds: int = 1
    umask: str = "022"

    @property
    def is_python(self) -> bool:
        """Whether its process is Breakwater's own code."""
        return bool(self.code)

    @property
    def command_line(self) -> str:
        """The command as supervisord reads it."""
        return shlex.join(self.command)


STOP_ORDER = (
    ("proxy",),
    ("core", "token", "events"),
    # before the intake: what it has still to tell can be taken
    ("registry",),
    ("intake", "relay", "audit", "metadata", "webhook", "replication"),
    ("rabbitmq", "postgres"),
    ("log",),
)


def parts(site: Site) -> tuple[Part, ...]:
    """All parts of an instance, in the order in which they are started."""
    described = (_log(site), _postgres(site), _rabbitmq(site), _registry(site), *_python_parts(site), _proxy(site))
    return tuple(part for part in described if part.name in site.parts)


def broker_node(host: str) -> str:
    """The name that the nodes of a cluster know one of them by."""
    return f"breakwater@{host}"


def rabbitmq_environment(site: Site, host: str = "") -> dict[str, str]:
    """What the broker and its control programs need in place of Debian's wrapper.

    Of the nodes of a cluster it is the one at `host`, else the first.
    """
    conf, broker = site.layout.conf, site.layout.broker
    if site.brokers:
        apart = {"RABBITMQ_NODENAME": broker_node(host or site.broker)}
    else:
        apart = {"RABBITMQ_NODENAME": f"breakwater-{site.layout.id}@localhost", "ERL_EPMD_ADDRESS": LOOPBACK}
    return apart | {
        "HOME": str(broker),
        "PATH": f"{site.binaries.rabbitmq}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "RABBITMQ_NODE_IP_ADDRESS": site.broker_address,
        "RABBITMQ_NODE_PORT": str(site.ports.amqp),
        "RABBITMQ_DIST_PORT": str(site.ports.distribution),
        "RABBITMQ_MNESIA_BASE": str(broker / "mnesia"),
        "RABBITMQ_LOG_BASE": str(broker / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(conf / "rabbitmq-plugins"),
        "RABBITMQ_CONFIG_FILE": str(conf / "rabbitmq.conf"),
        # a pattern that fits nothing: those of the machine, or of the image, are another broker's
        "RABBITMQ_CONFIG_FILES": str(conf / "rabbitmq.conf.d" / "*.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(conf / "rabbitmq-advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": str(conf / "rabbitmq-env.conf"),
        "RABBITMQ_PID_FILE": str(broker / "pid"),
        # its script then becomes the broker, instead of waiting beside it for signals to pass on
        "RUNNING_UNDER_SYSTEMD": "true",
        # schedulers that wait without turning: two cores are shared with everything else
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        "ERL_EPMD_PORT": str(site.ports.epmd),
    }


def _log(site: Site) -> Part:
    layout = site.layout
    return Part(
        name="log",
        command=(str(site.binaries.rsyslogd), "-n", "-f", f"{layout.conf}/rsyslog.conf", "-i", f"{layout.run}/log.pid"),
        account=Account.DATA,
        directory=layout.work,
        conf=(layout.conf / "rsyslog.conf", layout.conf / "rotate.sh"),
    )


def _postgres(site: Site) -> Part:
    layout = site.layout
    program = str(site.binaries.postgresql / "postgres")
    return Part(
        name="postgres",
        command=(program, "-D", str(layout.database), "-c", f"config_file={layout.conf}/postgresql.conf"),
        account=Account.DATA,
        directory=layout.work,
        conf=(layout.conf / "postgresql.conf", layout.conf / "pg_hba.conf"),
        stop_signal="INT",  # "fast": TERM would wait for clients
        stop_seconds=60,
        umask="077",
    )


def _rabbitmq(site: Site) -> Part:
    layout = site.layout
    return Part(
        name="rabbitmq",
        command=(str(site.binaries.rabbitmq / "rabbitmq-server"),),
        account=Account.DATA,
        directory=layout.work,
        environment=rabbitmq_environment(site),
        conf=(
            layout.conf / "rabbitmq.conf", layout.conf / "rabbitmq-advanced.config", layout.broker_conf / DEFINITIONS
        ),
        stop_seconds=30,
        start_seconds=3,
        umask="077",
    )


def _registry(site: Site) -> Part:
    layout = site.layout
    # without "site" it takes less memory, and it needs nothing of ours but itself
    parent = (str(site.python), "-S", "-m", "compose.registryctl", str(layout.registry_conf / REGISTRYCTL))
    return Part(
        name="registry",
        command=parent,
        account=Account.DATA,
        directory=layout.work,
        environment={
            **_BARE_PYTHON,
            "PYTHONPATH": str(layout.code),
            # one arena: each thread of a collection would keep one
            "MALLOC_ARENA_MAX": "1",
            # the registry's own tracing would look for a collector
            "OTEL_TRACES_EXPORTER": "none",
            # else as much again lies there of what was sent before, until it is looked for
            "GOMEMLIMIT": f"{site.layers_at_once * MEMORY_OF_A_DOWNLOAD}B",
        },
        code=("compose/registryctl",),
        conf=tuple(layout.registry_conf / name for name in (*REGISTRIES.values(), REGISTRYCTL)),
        umask="007",
    )


def _proxy(site: Site) -> Part:
    layout, binaries = site.layout, site.binaries
    # workers outlive a killed master and would hold the port
    orphans = f'kill -s KILL -- "-$(cat {layout.run}/proxy.pid)"'
    nginx = shlex.join([str(binaries.nginx), "-e", "stderr", "-c", str(layout.conf / "nginx.conf")])
    # A socket that a killed nginx has left is in the way of the next one. SCHED_BATCH: it is often woken, for little
    # each time, and would take the core from whoever has just answered it; what several have for it, it does at once.
    start = (
        f"rm -f -- {layout.proxy_status}; batch='chrt -b 0'; $batch true 2>/dev/null || batch=; exec $batch {nginx}"
    )
    if not site.contained:
        start = f"{{ {orphans}; }} 2>/dev/null; {start}"
    command: tuple[str, ...] = ("/bin/sh", "-c", start)
    needs_right = min(site.options.open_ports.values()) < LOWEST_FREE_PORT and os.geteuid() == 0
    return Part(
        name="proxy",
        command=(*_WITH_LOW_PORTS, *command) if needs_right else command,
        account=Account.OPERATOR if needs_right else Account.PARTS,
        directory=layout.work / "proxy",
        conf=(layout.conf / "nginx.conf",),
        stop_signal="QUIT",
        stop_seconds=8,
    )


def _python_parts(site: Site) -> tuple[Part, ...]:
    return (
        _gunicorn(
            site, "token", "-k", "gateway.worker.SharingWorker", "-w", str(site.options.processes), "--preload",
            account=Account.TOKEN, socket="token",
            code=(
                "shared", "services/token", "gateway/token", "gateway/errors.py", "gateway/metering.py",
                "gateway/tracing.py", "gateway/worker.py",
            ),
        ),
        _gunicorn(
            site, "core", "-k", "gthread", "-w", str(site.options.processes), "--threads", "8",
            account=Account.PARTS, socket="core",
            code=("shared", "services", "gateway", "package-lock.json", "compose/assets.py"),
        ),
        _gunicorn(
            site, "events", "-k", "gateway.worker.SharingWorker", "-w", "1",
            account=Account.PARTS, socket="stream",
            code=(
                "shared", "gateway/events", "gateway/browser.py", "gateway/errors.py", "gateway/metering.py",
                "gateway/tracing.py", "gateway/worker.py",
            ),
        ),
        _nameko(site, "intake", "services.webhook.intake:IntakeService", code=("shared", "services/webhook")),
        _nameko(site, "relay", "services.webhook.service:RelayService", code=("shared", "services/webhook")),
        _nameko(site, "audit", "services.audit.service:AuditService", code=("shared", "services/audit")),
        _nameko(site, "metadata", "services.api.service:MetadataService", code=("shared", "services/api")),
        _nameko(site, "webhook", "services.webhook.deliveries:DeliveryService", code=("shared", "services/webhook")),
        _nameko(
            site, "replication", "services.replication.service:ReplicationService",
            code=("shared", "services/replication"),
        ),
    )  # fmt: skip


def _gunicorn(site: Site, name: str, *worker: str, account: Account, socket: str, code: tuple[str, ...]) -> Part:
    return Part(
        name=name,
        command=(
            str(site.python), "-m", "gunicorn", "-c", "python:compose.conf.gunicorn", *worker,
            "--bind", f"unix:{site.layout.run}/{numbered(socket, site.replica)}.sock",
            "--worker-tmp-dir", str(site.layout.work),
            f"gateway.{name}.app:application()",
        ),
        account=account,
        directory=site.layout.code,
        environment=_python_environment(site, name),
        code=(*code, "compose/conf/gunicorn.py"),
    )  # fmt: skip


def _nameko(site: Site, name: str, service: str, *, code: tuple[str, ...]) -> Part:
    return Part(
        name=name,
        command=(str(site.python), "-m", "shared.messaging.runner", service),
        account=Account.PARTS,
        directory=site.layout.code,
        environment=_python_environment(site, name),
        code=code,
        stop_seconds=30,
    )


_BARE_PYTHON = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
}
_GIVING_BACK = {"MALLOC_TRIM_THRESHOLD_": "131072"}
"""malloc would keep as much as was ever freed at once, which serves only a part that moves large blocks all day."""


_BARE_CODE = {"PYTHONOPTIMIZE": "2"}
"""Docstrings would take 5 MB in each part; assertions there are none in our code."""


def _python_environment(site: Site, part: str) -> dict[str, str]:
    return {
        **site.settings,
        **_BARE_PYTHON,
        "BREAKWATER_PART": part,
        "PYTHONPATH": str(site.layout.code),
        # one arena: else each thread that ever checked a password keeps argon2's 19 MB for itself
        "MALLOC_ARENA_MAX": "1",
    } | _BARE_CODE | ({} if part == "replication" else _GIVING_BACK)
