"""Tokens a second over HTTP with remembered credentials, against the bare loop that no token service can beat."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from tests.bench.bound import TokenBound, token_bound
from tests.bench.cpu import spent
from tests.bench.figures import Figure, Goal, Side, percentile
from tests.bench.load import Load, Result, drive, driving, request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.rig import Rig

CONNECTIONS = 32
MANY_CONNECTIONS = 200
WRONG_A_SECOND = 50
STRANGER = "127.0.0.2"
"""Who guesses comes from an address of his own: it is shut for a while, to what is measured afterwards too."""
PATH = "/auth/token?service=breakwater-registry&scope=repository%3Alibrary%2Fbench%3Apull%2Cpush"


class WrongAnswersError(Exception):
    """The load was answered otherwise than it must be: its rate would mean nothing."""


def ask(username: str, password: str) -> bytes:
    """The bytes of one token request."""
    basic = base64.b64encode(f"{username}:{password}".encode()).decode()
    return request("GET", PATH, {"Authorization": f"Basic {basic}", "User-Agent": "docker/20.10.24"})


def all_good(result: Result) -> Result:
    """Raises WrongAnswersError where anything but a token came back."""
    if set(result.statuses) != {200}:
        raise WrongAnswersError(f"the token endpoint answered {dict(result.statuses)}")
    return result


def measure(rig: Rig) -> list[Figure]:
    """The rate, and the tail with many connections, alone and beside somebody who guesses passwords."""
    people = [rig.system.new_person() for _ in range(8)]
    requests = [ask(person.name, person.password) for person in people]
    seconds = rig.scaled(8, 0.4)
    drive(Load(address=rig.address, requests=requests, connections=8, seconds=1))  # every password remembered

    rig.say("tokens: the bound")
    conninfo = rig.system.settings.conninfo()
    bounds = [token_bound(conninfo, people[0].name, processes=rig.cores, seconds=seconds / 2)]
    rig.say(f"tokens: {CONNECTIONS} connections")
    parts = {name: rig.system.instance.pids(name) for name in ("proxy", "token", "postgres")}
    before = {name: spent(pids) for name, pids in parts.items()}
    load = Load(address=rig.address, requests=requests, connections=CONNECTIONS, seconds=seconds)
    with driving(load) as running:
        measured = all_good(running.result())
    used = {name: spent(pids) - before[name] for name, pids in parts.items()}
    rig.say(f"tokens: {MANY_CONNECTIONS} connections, then the same beside {WRONG_A_SECOND} wrong passwords a second")
    many = Load(address=rig.address, requests=requests, connections=MANY_CONNECTIONS, seconds=seconds)
    crowded = all_good(drive(many))
    guesses = [ask(person.name, f"Wrong-{number}") for number, person in enumerate(people)]
    guesses += [ask(f"nobody-{number}", "Wrong-1") for number in range(8)]
    guessing = Load(
        address=rig.address, requests=guesses, connections=16, seconds=seconds + 1, per_second=WRONG_A_SECOND,
        source=STRANGER,
    )
    with driving(guessing) as wrong:
        attacked = drive(many)
        refused = wrong.result()
    bounds.append(token_bound(conninfo, people[0].name, processes=rig.cores, seconds=seconds / 2))
    bound = sum(each.per_second for each in bounds) / len(bounds)

    tail, attacked_tail = percentile(crowded.latencies, 0.99), percentile(attacked.latencies, 0.99)
    return [
        Figure(
            name="tokens",
            ours=Side(what="over HTTP", value=measured.rate, unit="tokens/s"),
            against=Side(what=f"in the bare loop on {rig.cores} cores", value=bound, unit="tokens/s"),
            goal=Goal.AT_LEAST, limit=0.35,
            details=where_it_goes(used, load.seconds + load.warm_up, measured.rate, rig.cores, bounds[0])
            | {"p50": _ms(percentile(measured.latencies, 0.5)), "p99": _ms(percentile(measured.latencies, 0.99))},
        ),
        Figure(
            name=f"token p99, {MANY_CONNECTIONS} connections",
            ours=Side(what="p99", value=tail * 1000, unit="ms"),
            against=Side(what="p50", value=percentile(crowded.latencies, 0.5) * 1000, unit="ms"),
            goal=Goal.AT_MOST, limit=3,
            details={"rate": f"{crowded.rate:,.0f} tokens/s"},
        ),
        Figure(
            name=f"token p99, beside {WRONG_A_SECOND} wrong passwords/s",
            ours=Side(what="p99 beside guesses", value=attacked_tail * 1000, unit="ms"),
            against=Side(what="p99 alone", value=tail * 1000, unit="ms"),
            goal=Goal.AT_MOST, limit=2,
            details={
                "rate": f"{attacked.rate:,.0f} tokens/s beside, {crowded.rate:,.0f} alone",
                "answers to the owners of the accounts": dict(attacked.statuses),
                "answers to the guesses": dict(refused.statuses),
                "guess p99": _ms(percentile(refused.latencies, 0.99)),
            },
        ),
    ]


def where_it_goes(
    used: Mapping[str, float], seconds: float, rate: float, cores: int, bound: TokenBound,
) -> dict[str, str]:
    """Processor time of each part for one token, and what of the token mount's is neither SELECT nor signature."""
    tokens = rate * seconds
    each = {name: cost / tokens * 1e6 for name, cost in used.items()}
    rest = cores * seconds / tokens * 1e6 - sum(each.values())
    return {
        "µs of processor for a token": ", ".join(f"{name} {cost:.0f}" for name, cost in each.items())
        + f", all else on the machine, the load client and idling {rest:.0f}",
        "of the token mount's": f"the signature is {bound.sign_us:.0f} µs of wall in the bare loop, "
        f"the SELECT {bound.select_us:.0f} with PostgreSQL's side",
    }


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
