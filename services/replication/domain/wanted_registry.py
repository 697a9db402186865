"""What a client asks of a registry, the rules for it, and which secrets stay what they are.

A secret that is kept is sent to nobody but to whom it was given for, and over nothing less safe: else whoever may edit
a registry could read it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from cryptography.x509 import load_pem_x509_certificates

from services.replication.domain.registry import Access, RegistryKind
from services.replication.errors import UnfitRegistry
from shared.secrets import Secret

MASK: Final = "*****"
"""What is shown in place of a secret; sent back, it means the one that is stored."""
MOST_AT_ONCE: Final = 64

Refuses = Callable[[str], bool]
"""Whether a host is written as an address that nothing may be sent to."""

_LONGEST_NAME: Final = 64
_LONGEST_TEXT: Final = 1_024
_LONGEST_URL: Final = 2_048
_LONGEST_SECRET: Final = 16 * 1_024
_LONGEST_CERTIFICATES: Final = 128 * 1_024
_UNFIT_IN_URL: Final = frozenset('\\<>"')


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryWish:
    """A registry as a client asks for it: what is None stays as it is, and an empty secret is none."""

    name: str | None = None
    description: str | None = None
    kind: str | None = None
    url: str | None = None
    access_key: str | None = None
    access_secret: Secret | None = None
    insecure: bool | None = None
    ca_certificate: str | None = None
    proxy: Secret | None = None
    concurrency: int | None = None


def check_name(name: str) -> str:
    """The name, trimmed. Raises UnfitRegistry."""
    trimmed = name.strip()
    if not 0 < len(trimmed) <= _LONGEST_NAME or not trimmed.isprintable():
        raise UnfitRegistry(f"the name of a registry has 1 to {_LONGEST_NAME} characters")
    return trimmed


def check_description(text: str) -> str:
    """The description. Raises UnfitRegistry."""
    if len(text) > _LONGEST_TEXT:
        raise UnfitRegistry(f"the description of a registry has at most {_LONGEST_TEXT} characters")
    return text


def access_wanted(wish: RegistryWish, before: Access | None, *, refuses: Refuses) -> Access:
    """How the registry is to be spoken to; `before` is how it is until now, None for a new one.

    Raises UnfitRegistry, also where a secret would be kept that was not given for this.
    """
    old = before or Access(kind=RegistryKind.DOCKER_REGISTRY, url="")
    proxy = _proxy(wish.proxy, old.proxy, refuses)
    after = Access(
        kind=_kind(wish.kind) if wish.kind is not None or before is None else old.kind,
        url=_url(wish.url, refuses) if wish.url is not None or before is None else old.url,
        access_key=old.access_key if wish.access_key is None else _access_key(wish.access_key),
        access_secret=_stored_or_given(wish.access_secret, old.access_secret, "access_secret"),
        insecure=old.insecure if wish.insecure is None else wish.insecure,
        ca_certificate=old.ca_certificate if wish.ca_certificate is None else _certificates(wish.ca_certificate),
        proxy=proxy,
        concurrency=old.concurrency if wish.concurrency is None else _concurrency(wish.concurrency),
    )
    is_kept = old.access_secret is not None and (wish.access_secret is None or _is_mask(wish.access_secret))
    if is_kept and not _is_as_safe(old, after):
        raise UnfitRegistry("access_secret is kept, and the registry is another or less safe now: give it in full")
    return after


def is_elsewhere(before: Access, after: Access) -> bool:
    """Whether another registry is meant now: what is known of the one before is not true of it."""
    return before.kind is not after.kind or before.url != after.url


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Who is at an address."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _is_as_safe(before: Access, after: Access) -> bool:
    """Whether the same is spoken to, and nobody new can listen."""
    return (
        before.kind is after.kind
        and origin(before.url) == origin(after.url)
        and (before.insecure or not after.insecure)
        and after.ca_certificate in {"", before.ca_certificate}
        and after.proxy in {None, before.proxy}
    )


def _kind(text: str | None) -> RegistryKind:
    if text not in set(RegistryKind):
        raise UnfitRegistry(f"the type of a registry must be one of {', '.join(RegistryKind)}")
    return RegistryKind(text)


def _url(text: str | None, refuses: Refuses) -> str:
    problem = "the URL of a registry must be an http or https URL without user name, password, query and fragment"
    trimmed = (text or "").strip()
    parts = _split(trimmed, problem)
    if parts.query or "?" in trimmed or "@" in parts.netloc:
        raise UnfitRegistry(problem)
    if refuses(parts.hostname or ""):
        raise UnfitRegistry(f"a registry cannot be at the address {parts.hostname}")
    return trimmed.rstrip("/")


def _proxy(wanted: Secret | None, before: Secret | None, refuses: Refuses) -> Secret | None:
    found = _stored_or_given(wanted, before, "proxy")
    if wanted is None or found is None or found is before:
        return found
    parts = _split(found.reveal(), "the proxy of a registry must be an http or https URL without path and query")
    if parts.path.strip("/") or parts.query:
        raise UnfitRegistry("the proxy of a registry must be an http or https URL without path and query")
    if refuses(parts.hostname or ""):
        raise UnfitRegistry(f"a proxy cannot be at the address {parts.hostname}")
    return found


def _split(text: str, problem: str) -> SplitResult:
    if len(text) > _LONGEST_URL or not text.isascii() or not text.isprintable() or set(text) & {" ", *_UNFIT_IN_URL}:
        raise UnfitRegistry(problem)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UnfitRegistry(problem) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0 or "#" in text:
        raise UnfitRegistry(problem)
    return parts


def _access_key(text: str) -> str:
    if len(text) > _LONGEST_TEXT or not text.isprintable() or ":" in text:
        raise UnfitRegistry(f"access_key is at most {_LONGEST_TEXT} printable characters without a colon")
    return text


def _stored_or_given(wanted: Secret | None, before: Secret | None, what: str) -> Secret | None:
    if wanted is None:
        return before
    if _is_mask(wanted):
        if before is None:
            raise UnfitRegistry(f"{what} is masked, and none is stored: give it in full")
        return before
    if len(wanted.reveal()) > _LONGEST_SECRET:
        raise UnfitRegistry(f"{what} has at most {_LONGEST_SECRET} characters")
    return wanted if wanted.reveal() else None


def _is_mask(secret: Secret) -> bool:
    return secret.reveal() == MASK


def _certificates(text: str) -> str:
    trimmed = text.strip()
    if not trimmed:
        return ""
    problem = "ca_certificate must hold certificates in PEM form"
    if len(trimmed) > _LONGEST_CERTIFICATES or not trimmed.isascii():
        raise UnfitRegistry(problem)
    try:
        load_pem_x509_certificates(trimmed.encode())
    except ValueError as error:
        raise UnfitRegistry(problem) from error
    return trimmed + "\n"


def _concurrency(number: int) -> int:
    if not 1 <= number <= MOST_AT_ONCE:
        raise UnfitRegistry(f"concurrency is a number from 1 to {MOST_AT_ONCE}")
    return number
