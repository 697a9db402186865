"""What the templates are given: one function a template, the same for the local run and for containers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from shared.registry.bucket import Bucket
from shared.settings import TOKEN_ISSUER, TOKEN_SERVICE

View = Mapping[str, object]

DISK_SECONDS = 10
"""After so long a push may be tried again that was refused for want of space: so often the disk is looked at."""
COLLECTING_SECONDS = 5
"""The same while garbage is collected, which mostly takes seconds."""
DRAIN_SECONDS = 60
"""How long a registry that is to end may go on with what it has in hand; so long a collection waits for it."""
LOG_FILE_BYTES = 20 * 1024**2
LOG_FILES_KEPT = 4
SPOOL_FILE_BYTES = 20 * 1024**2
SPOOL_FILES_KEPT = 1
_OTHER_CONNECTIONS = 80
"""To the database: of services, of the event stream and of people."""
_CONNECTIONS_OF_PROCESSES = 25
"""Of one process of the token service and one of the API together, where both pools are full."""

_COMPONENT = r"[a-z0-9]++(?:(?:\.|__?|-++)[a-z0-9]++)*+"
GRAMMAR = {
    "name": rf"{_COMPONENT}(?:/{_COMPONENT})*",
    "tag": r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}",
    "digest": r"[a-z0-9]+(?:[+._-][a-z0-9]+)*(?::|%3[Aa])[A-Za-z0-9=_-]+",
}
"""The paths of the distribution specification; a colon may come encoded, nothing else."""


@dataclass(frozen=True, kw_only=True)
class ProxyError:
    """An answer of nginx itself: which statuses lead to it, and what it says."""

    name: str
    statuses: str
    status: int
    code: str
    message: str

    early: bool = False
    """It may come before there is a path, where a named location cannot be entered."""

    @property
    def target(self) -> str:
        """Where `error_page` leads."""
        return f"/.errors/{self.name}" if self.early else f"@{self.name}"

    @property
    def location(self) -> str:
        """The location that answers."""
        return f"= {self.target}" if self.early else self.target

    @property
    def body(self) -> str:
        """The body as nginx reads it between single quotes."""
        text = json.dumps({"errors": [{"code": self.code, "message": self.message}]}, separators=(",", ":"))
        return text.replace("\\", "\\\\").replace("'", "\\'") + "\\n"


PORT_OF_HTTPS = 443
PROXY_ERRORS = (
    ProxyError(
        name="unreadable", statuses="400 494", status=400, code="BAD_REQUEST", early=True,
        message="the request cannot be read",
    ),
    ProxyError(
        name="plain", statuses="497", status=400, code="BAD_REQUEST", early=True,
        message="this port speaks HTTPS, not HTTP",
    ),
    ProxyError(
        name="slow", statuses="408", status=408, code="BAD_REQUEST", early=True,
        message="the request took too long to arrive",
    ),
    ProxyError(
        name="long", statuses="414", status=414, code="BAD_REQUEST", early=True,
        message="the request's address is too long",
    ),
    ProxyError(name="unknown", statuses="404", status=404, code="$not_found", message="there is nothing at this path"),
    ProxyError(
        name="method", statuses="405", status=405, code="$not_allowed", message="this method is not allowed here"
    ),
    ProxyError(
        name="large", statuses="413", status=413, code="REQUEST_ENTITY_TOO_LARGE",
        message="the request body is larger than what is accepted here",
    ),
    ProxyError(name="failed", statuses="500", status=500, code="UNKNOWN", message="internal server error"),
    ProxyError(
        name="full", statuses="507 =403", status=403, code="DENIED",
        message="the registry's disk is nearly full: pushes are refused until space is freed; pulls go on",
    ),
    ProxyError(
        name="collecting", statuses="508 =403", status=403, code="DENIED",
        message="garbage is being collected: nothing is pushed or deleted until it ends; try again in a moment",
    ),
    ProxyError(
        name="frozen", statuses="509 =403", status=403, code="DENIED",
        message="the system is in read-only mode: nothing can be changed now",
    ),
    ProxyError(
        name="busy", statuses="510 =503", status=503, code="UNAVAILABLE",
        message="as many layers are being sent as may be at once: try again in a moment",
    ),
    ProxyError(
        name="away", statuses="502 503 504 =503", status=503, code="UNAVAILABLE",
        message="the service is not available right now: try again in a moment",
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What the proxy shows to clients that speak TLS."""

    file: Path
    """The chain and the key."""
    nginx_version: tuple[int, int]

    @property
    def http2_directive(self) -> bool:
        """Since 1.25 HTTP/2 is a directive of its own."""
        return self.nginx_version >= (1, 25)

    @property
    def http2_parameter(self) -> str:
        """Before that it was a parameter of `listen`."""
        return "" if self.http2_directive else " http2"


@dataclass(frozen=True, kw_only=True)
class Redirect:
    """Where the proxy speaks plain HTTP too, only to lead to where it speaks TLS."""

    listen: str
    port: int
    """Of TLS, as clients see it."""


def proxy(
    *,
    listen: str,
    upstreams: Mapping[str, Sequence[str]],
    public_url: str | None,
    tls: Certificate | None,
    pid_file: Path,
    temporary: Path,
    readonly_flag: Path,
    collecting_flag: Path,
    frozen_flag: Path,
    status_socket: Path,
    transfers: Path,
    access_log: str,
    open_files: int,
    downloads: int,
    redirect: Redirect | None = None,
    workers: str = "auto",
) -> View:
    """For nginx.conf. `upstreams` holds the addresses of registry, core, token and events."""
    public = urlsplit(public_url) if public_url else None
    # the host without the port that it came by
    secure = "$host" if redirect is None or redirect.port == PORT_OF_HTTPS else f"$host:{redirect.port}"
    return {
        "listen": listen,
        "upstreams": upstreams,
        "public_host": public.netloc if public else "$client_host",
        "public_scheme": public.scheme if public else "$scheme",
        "tls": tls,
        "redirect": redirect.listen if redirect else None,
        "secure_host": public.netloc if public else secure,
        "pid_file": pid_file,
        "temporary": temporary,
        "readonly_flag": readonly_flag,
        "collecting_flag": collecting_flag,
        "frozen_flag": frozen_flag,
        "status_socket": status_socket,
        "transfers": transfers,
        "access_log": access_log,
        "workers": workers,
        "open_files": open_files,
        "connections": min(4096, open_files // 2),
        "downloads": downloads,
        "grammar": GRAMMAR,
        "errors": PROXY_ERRORS,
        "plain": next(error for error in PROXY_ERRORS if error.name == "plain"),
        "disk_seconds": DISK_SECONDS,
        "collecting_seconds": COLLECTING_SECONDS,
        "away": next(error for error in PROXY_ERRORS if error.name == "away"),
    }


def registry(
    *,
    version: int,
    socket: Path | None,
    address: str,
    storage: Path | Bucket,
    http_secret: str,
    public_url: str | None,
    bundle: Path,
    intake_url: str,
    notification_token: str,
    readonly: bool = False,
    alone: bool = True,
) -> View:
    """For registry.yml; `version` is the major one. A read-only one stands in while garbage is collected.

    One that is not `alone` on its storage remembers no blob: garbage may have been collected while nobody reached it.
    """
    return {
        "remembers": alone,
        "readonly": readonly,
        # nobody waits for the end of the one that stood in
        "drain": "1h" if readonly else f"{DRAIN_SECONDS}s",
        "version": version,
        "socket": socket,
        "address": address,
        "storage": storage,
        "bucket": _bucket(storage) if isinstance(storage, Bucket) else None,
        "http_secret": http_secret,
        # what the proxy puts in for it follows the client where no URL is set
        "realm": f"{public_url or 'http://localhost'}/auth/token",
        "token_service": TOKEN_SERVICE,
        "token_issuer": TOKEN_ISSUER,
        "bundle": bundle,
        "intake_url": intake_url,
        "notification_token": notification_token,
    }


def _bucket(bucket: Bucket) -> View:
    """The parameters of distribution's s3 driver, each as YAML reads it: a key may hold any printable character."""
    values: dict[str, object] = {
        "region": bucket.region,
        "bucket": bucket.name,
        "rootdirectory": f"/{bucket.prefix}",
        "accesskey": bucket.access_key,
        "secretkey": bucket.secret_key,
        "secure": bucket.url.startswith("https:"),
    }
    if bucket.endpoint:
        # a storage of one's own has no name in the DNS for each bucket
        values |= {"regionendpoint": bucket.endpoint, "forcepathstyle": True}
    return {name: json.dumps(value) for name, value in values.items()}


def broker(*, listen: str, definitions: Path, memory_share: str = "0.4", nodes: Sequence[str] = ()) -> View:
    """For rabbitmq.conf; `nodes` are those of a cluster, and none where it is alone."""
    return {"listen": listen, "definitions": definitions, "memory_share": memory_share, "nodes": nodes}


def database(
    *, socket_folder: Path, hba_file: Path, port: int, processes: int, replicas: int = 1, listen_addresses: str = ""
) -> View:
    """For postgresql.conf; `processes` are those of the token service, and of the API, that connect to it.

    So many of them has each of the `replicas` of a part.
    """
    return {
        "socket_folder": socket_folder,
        "hba_file": hba_file,
        "port": port,
        "listen_addresses": listen_addresses,
        "connections": max(200, (_OTHER_CONNECTIONS + _CONNECTIONS_OF_PROCESSES * processes) * replicas),
    }


def log(
    *,
    folder: Path,
    state: Path,
    rotate: Path,
    parts: Sequence[str],
    spools: Mapping[str, Path],
    socket: Path,
    engine_asks: bool = False,
    forward: str = "",
) -> View:
    """For rsyslog.conf: lines come from a socket, and from spool files where a supervisor writes them.

    Where an engine asks for the socket's file it is there also when nobody listens: who starts this removes it.
    `forward` is the address of an outside collector: `tcp://` or `udp://`, a host and a port.
    """
    programs = {part: part for part in parts} | {"log": "rsyslogd"}
    return {
        "state": state,
        "socket": socket,
        "engine_asks": engine_asks,
        "forward": _collector(forward) if forward else None,
        # supervisord's older file too: it may be renamed before it was read to its end, or while nobody reads
        "spools": [
            {"part": part, "file": path} for part, file in spools.items() for path in (file, file.with_suffix(".log.1"))
        ],
        "rotate": rotate,
        "files": [
            {"part": part, "program": program, "path": folder / f"{part}.log", "bytes": LOG_FILE_BYTES}
            for part, program in programs.items()
        ],
    }


def _collector(address: str) -> View:
    parts = urlsplit(address)
    return {"protocol": parts.scheme, "host": parts.hostname, "port": parts.port}
