"""A broker of several nodes, each in a container: what they share, what each begins by, and what makes their queues."""

import shutil
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

from compose.conf.render import render
from compose.docker.scripts import assignments, start_script
from compose.local.accounts import Account, Accounts
from compose.local.credentials import settle_owners
from compose.local.layout import DEFINITIONS
from compose.local.parts import parts, rabbitmq_environment
from compose.local.site import Site
from shared.secrets import write_secret

COOKIE = "erlang-cookie"
"""By it the nodes know each other, and who commands one; in each home it has the name that Erlang looks for."""
_BYTES = 32


def prepare(site: Site, users: Accounts) -> None:
    """Make what the nodes need; of a broker that is alone there is nothing to make."""
    if not site.brokers:
        return
    conf, cookie = site.layout.conf, site.layout.secrets / "rabbitmq" / COOKIE
    if not cookie.exists():
        write_secret(cookie, token_hex(_BYTES))
        settle_owners(site.layout, users)
    for host in site.brokers:
        _lay(cookie, node_home(site, host), users)
        conf.joinpath(f"{host}.sh").write_text(node_script(site, host), encoding="utf-8")
    conf.joinpath("rabbitmq-cluster.sh").write_text(cluster_script(site), encoding="utf-8")


def node_home(site: Site, host: str) -> Path:
    """Where a node's data is to be found by whoever prepares it; the node itself has it where one alone has it."""
    return site.layout.broker.with_name(host)


def node_script(site: Site, host: str) -> str:
    """What becomes a node."""
    (alone,) = [part for part in parts(site) if part.name == "rabbitmq"]
    return start_script(site, replace(alone, environment=rabbitmq_environment(site, host)))


def cluster_script(site: Site) -> str:
    """What makes the queues, once all nodes are up."""
    return render(
        "cluster.sh",
        {
            "environment": assignments(site, rabbitmq_environment(site)),
            "nodes": len(site.brokers),
            "definitions": site.layout.broker_conf / DEFINITIONS,
        },
    )


def _lay(cookie: Path, home: Path, users: Accounts) -> None:
    home.mkdir(exist_ok=True)
    users.give(home, Account.DATA, 0o700)
    laid = home / ".erlang.cookie"
    laid.unlink(missing_ok=True)
    laid.touch(mode=0o600)
    shutil.copyfile(cookie, laid)
    users.give(laid, Account.DATA, 0o400)
