"""What the proxy's ways on /v2 cost a pull: manifests read with a token, against a plain nginx.

Both stand before the same registry and are measured in turns; the plain one has one location, and a log as any has.
"""

from __future__ import annotations

import grp
import os
import pwd
import statistics
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.bench.figures import Figure, Goal, Side, percentile
from tests.bench.load import Load, Result, drive, request
from tests.clients.images import ACCEPTED, make_image
from tests.servers import free_port, short_folder, stop, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.bench.rig import Rig

NAME: Final = "library/detour"
CONNECTIONS: Final = 16
LIMIT: Final = 0.9
_PLAIN: Final = """
daemon off;
user {user};
worker_processes auto;
pid {folder}/pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    access_log {folder}/access.log;
    upstream registry {{ server unix:{registry}; keepalive 32; }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        location /v2/ {{
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_pass http://registry;
        }}
    }}
}}
"""


class WrongAnswersError(Exception):
    """Something else than the manifest came back: the rate would mean nothing."""


def measure(rig: Rig) -> list[Figure]:
    """Rates with kept-alive connections, the median of several turns each."""
    registry = rig.system.registry()
    image = make_image("detour")
    pushed = registry.push(NAME, "v1", image)
    if not pushed.ok:
        raise WrongAnswersError(pushed.text)
    token = registry.token(f"repository:{NAME}:pull")
    headers = {"Authorization": f"Bearer {token}", "Accept": ", ".join(ACCEPTED), "User-Agent": "bench/1"}
    read = request("GET", f"/v2/{NAME}/manifests/{image.digest}", headers, host=rig.system.host)
    with _plain_proxy(rig.system.settings.registry) as port:
        sides = {"ours": rig.address, "plain": ("127.0.0.1", port)}
        taken: dict[str, list[Result]] = {name: [] for name in sides}
        for turn in range(int(rig.scaled(6, 1))):
            rig.say(f"detour: turn {turn + 1}")
            for name in sides if turn % 2 == 0 else reversed(sides):
                load = Load(address=sides[name], requests=[read], connections=CONNECTIONS, seconds=rig.scaled(4, 0.4))
                taken[name].append(_all_good(drive(load)))
    rates = {name: statistics.median(result.rate for result in results) for name, results in taken.items()}
    tails = {
        name: percentile([each for result in results for each in result.latencies], 0.95) * 1000
        for name, results in taken.items()
    }
    return [
        Figure(
            name="reads of a manifest with a token",
            ours=Side(what="through Breakwater's proxy", value=rates["ours"], unit="/s"),
            against=Side(what="through a plain one, same registry", value=rates["plain"], unit="/s"),
            goal=Goal.AT_LEAST, limit=LIMIT,
            details={
                "p95": f"{tails['ours']:.2f} ms, plain {tails['plain']:.2f} ms",
                "all turns": " ".join(
                    f"{one.rate:.0f}/{other.rate:.0f}"
                    for one, other in zip(taken["ours"], taken["plain"], strict=True)
                ),
            },
        ),
    ]


def _all_good(result: Result) -> Result:
    if set(result.statuses) != {200}:
        raise WrongAnswersError(f"the manifest was answered {dict(result.statuses)}")
    return result


@contextmanager
def _plain_proxy(registry: Path) -> Iterator[int]:
    """Yields its port."""
    with short_folder() as folder:
        folder.chmod(0o777)
        port = free_port()
        configuration = folder / "nginx.conf"
        # as whoever runs this, who may use the registry's socket
        user = f"{pwd.getpwuid(os.geteuid()).pw_name} {grp.getgrgid(os.getegid()).gr_name}"
        configuration.write_text(_PLAIN.format(user=user, folder=folder, registry=registry, port=port))
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(configuration)],
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )
        try:
            wait_for(lambda: _answers(port), seconds=10, what="the plain proxy answers")
            yield port
        finally:
            stop(process)


def _answers(port: int) -> bool:
    probe = ["curl", "-s", "-o", "/dev/null", "--max-time", "2", f"http://127.0.0.1:{port}/v2/"]
    return subprocess.run(probe, check=False).returncode == 0
