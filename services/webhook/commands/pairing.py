"""Which stored target each of those that a client asks for has been: by type and address, wherever it stands.

So one that is taken out, or moved, leaves the others what is theirs: secrets, deliveries, health and log.
"""

from collections.abc import Callable, Sequence

from services.webhook.domain.policy import PayloadFormat, Target, WantedTarget
from shared.secrets import Sealer

Checked = tuple[WantedTarget, PayloadFormat]


def pair(wanted: Sequence[Checked], present: Sequence[Target], sealer: Sealer) -> list[Target | None]:
    """The stored target that each wanted one is; None for those that are new.

    Of several alike those go together that are set alike, then in their order; where one of them has gone, it is known
    by the place that is empty now.
    """
    named = [(str(target.kind), target.address) for target, _ in wanted]
    stored = [(str(target.kind), target.address) for target in present]
    likeness = {
        (to, at): (
            _agreement(checked, present[at], sealer),
            at == to and named.count(named[to]) != stored.count(named[to]),
        )
        for to, checked in enumerate(wanted)
        for at in range(len(present))
        if named[to] == stored[at]
    }
    found: dict[int, Target] = {}
    taken: set[int] = set()
    for to, at in sorted(likeness, key=lambda each: likeness[each], reverse=True):
        if to not in found and at not in taken:
            found[to] = present[at]
            taken.add(at)
    return [found.get(to) for to in range(len(wanted))]


def with_secrets(
    wanted: Sequence[Checked], present: Sequence[Target], same: Sequence[Target | None]
) -> list[Target | None]:
    """The stored target whose secrets a wanted one may keep: itself, else the one of its address, else of its place."""
    found = list(same)
    free = {at: target for at, target in enumerate(present) if target not in same}
    rules: tuple[Callable[[bool, bool], bool], ...] = (
        lambda _, same_address: same_address,
        lambda same_place, _: same_place,
    )
    for fits in rules:
        for place, (target, _) in enumerate(wanted):
            at = next((at for at in free if fits(at == place, free[at].address == target.address)), None)
            if found[place] is None and at is not None:
                found[place] = free.pop(at)
    return found


def _agreement(checked: Checked, stored: Target, sealer: Sealer) -> int:
    """In how much of what is set the two agree; a secret that is not given tells nothing."""
    wanted, payload_format = checked
    given = wanted.auth_header
    if given is None:
        known = 0
    elif stored.auth_header is None or not given.reveal():
        known = 1 if (stored.auth_header is None) == (not given.reveal()) else -1
    else:
        known = 1 if sealer.open(stored.auth_header).matches(given.reveal()) else -1
    return (payload_format is stored.payload_format) + (wanted.skip_cert_verify == stored.skip_cert_verify) + known
