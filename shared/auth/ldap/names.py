"""Distinguished names (RFC 4514) in one way of writing, so that one group is one group however its name is written."""

import re
from typing import Final

from shared.errors import BadRequest

_LONGEST: Final = 1_000
_PART: Final = re.compile(
    r'\s*([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)*)\s*=\s*((?!#)(?:\\.|[^\\,;+"<>\x00])+?)\s*([,+]|$)', re.ASCII | re.DOTALL
)
_ESCAPED: Final = re.compile(r"\\([0-9a-fA-F]{2})|\\(.)", re.DOTALL)


def canonical_dn(text: str) -> str:
    """The name with its attributes in lower case, without blanks around separators, escaped as RFC 4514 has it.

    The case of values is kept; names are compared without regard to it. Raises BadRequest for what is no name.
    """
    from ldap3.utils.dn import escape_rdn  # noqa: PLC0415 - 4 MB in each process, and most have no directory

    written, position, separator = [], 0, ","
    while separator:
        part = _PART.match(text, position) if len(text) <= _LONGEST else None
        if part is None:
            raise BadRequest(f"{text[:80]!r} is not a distinguished name")
        name, value, separator = part.groups()
        written.append(f"{name.lower()}={escape_rdn(_plain(value))}{separator}")
        position = part.end()
    return "".join(written)


def dn_key(text: str) -> str:
    """What two writings of one name have in common. Raises BadRequest for what is no name."""
    return canonical_dn(text).lower()


def _plain(value: str) -> str:
    r"""The value itself: `\2C` and `\,` are both a comma; bytes that are no UTF-8 stay readable."""
    plain = bytearray()
    position = 0
    for found in _ESCAPED.finditer(value):
        plain += value[position : found.start()].encode("utf-8", "surrogatepass")
        plain += bytes.fromhex(found[1]) if found[1] else found[2].encode()
        position = found.end()
    plain += value[position:].encode("utf-8", "surrogatepass")
    return plain.decode("utf-8", "backslashreplace")
