"""Setting other registries up. Secrets are stored sealed, and kept for nobody but whom they were given for."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.replication.commands.waking import wake
from services.replication.domain.registry import Access, Health, Registry
from services.replication.domain.wanted_registry import (
    Refuses,
    RegistryWish,
    access_wanted,
    check_description,
    check_name,
    is_elsewhere,
)
from services.replication.errors import NoSuchRegistry, RegistryExists, RegistryInUse
from services.replication.queries.registry import get_registry
from services.replication.queries.rows import access_of, read_registry
from services.replication.tables import copies, policies, registries
from shared.events import EventContext, emit
from shared.events.definitions.registry import RegistryCreated, RegistryDeleted, RegistryEvent, RegistryUpdated
from shared.secrets import Sealer, Secret

_OF_ACCESS: Final = frozenset(
    {"kind", "url", "access_key", "access_secret", "insecure", "ca_certificate", "proxy"}
)
"""What a check of a registry depends on."""


def create_registry(
    session: Session, wish: RegistryWish, *, refuses: Refuses, sealer: Sealer, now: datetime, context: EventContext
) -> Registry:
    """Set a registry up; how it is, is found out by the next check. Raises UnfitRegistry, RegistryExists."""
    access = access_wanted(wish, None, refuses=refuses)
    values = _values(wish, access, None, sealer)
    row = session.execute(
        upsert(registries)
        .values(**values, due_at=now, created_at=now, updated_at=now)
        .on_conflict_do_nothing(index_elements=[registries.c.name])
        .returning(registries)
    ).one_or_none()
    if row is None:
        raise RegistryExists(f"a registry named {values['name']} exists already")
    registry = read_registry(row)
    emit(session, _event(RegistryCreated, registry), context=context)
    wake(session)
    return registry


def update_registry(
    session: Session,
    registry_id: int,
    wish: RegistryWish,
    *,
    refuses: Refuses,
    sealer: Sealer,
    now: datetime,
    context: EventContext,
) -> None:
    """Change what is named in a wish. What policies copied to another place than this is now, they copied no more.

    Raises NoSuchRegistry, UnfitRegistry, RegistryExists.
    """
    registry = get_registry(session, registry_id, lock=True)
    before = access_of(registry, sealer)
    after = access_wanted(wish, before, refuses=refuses)
    values = _values(wish, after, registry, sealer)
    changed = {name: value for name, value in values.items() if value != getattr(registry, name)}
    if not changed:
        return
    unchecked = (
        {"status": Health.UNKNOWN, "reason": "", "failures": 0, "checked_at": None, "due_at": now}
        if _OF_ACCESS & changed.keys()
        else {}
    )
    try:
        session.execute(
            update(registries).where(registries.c.id == registry_id).values(**changed, **unchecked, updated_at=now)
        )
    except IntegrityError as error:
        raise RegistryExists(f"a registry named {values['name']} exists already") from error
    if is_elsewhere(before, after):
        using = select(policies.c.id).where(_uses(registry_id))
        session.execute(delete(copies).where(copies.c.policy_id.in_(using)))
    told = replace(registry, name=values["name"], kind=after.kind, url=after.url)
    emit(session, _event(RegistryUpdated, told, changed=tuple(sorted(changed))), context=context)
    wake(session)


def delete_registry(session: Session, registry_id: int, *, context: EventContext) -> None:
    """Forget a registry. Raises NoSuchRegistry, and RegistryInUse while a policy is about it."""
    registry = get_registry(session, registry_id, lock=True)
    user = session.scalar(select(policies.c.name).where(_uses(registry_id)).order_by(policies.c.id).limit(1))
    if user is not None:
        raise RegistryInUse(f"the registry is used by the replication policy {user}: delete or change that first")
    session.execute(delete(registries).where(registries.c.id == registry_id))
    emit(session, _event(RegistryDeleted, registry), context=context)


def access_to_try(
    session: Session, registry_id: int | None, wish: RegistryWish, *, refuses: Refuses, sealer: Sealer
) -> Access:
    """What a registry would be spoken to with: a stored one, if a number is given, with what the wish names.

    A stored secret goes along under the same condition under which a change would keep it. Raises NoSuchRegistry,
    UnfitRegistry.
    """
    stored = None if registry_id is None else access_of(get_registry(session, registry_id), sealer)
    return access_wanted(wish, stored, refuses=refuses)


def lock_registry(session: Session, registry_id: int) -> Registry:
    """A registry that is not deleted while a policy about it is being written. Raises NoSuchRegistry."""
    held = select(registries).where(registries.c.id == registry_id).with_for_update(read=True, key_share=True)
    row = session.execute(held).one_or_none()
    if row is None:
        raise NoSuchRegistry(f"there is no registry with the number {registry_id}")
    return read_registry(row)


def _values(wish: RegistryWish, access: Access, before: Registry | None, sealer: Sealer) -> dict[str, Any]:
    """The columns. What is a secret is sealed anew only where it is another one."""
    return {
        "name": before.name if before and wish.name is None else check_name(wish.name or ""),
        "description": before.description if before and wish.description is None
        else check_description(wish.description or ""),
        "kind": access.kind,
        "url": access.url,
        "access_key": access.access_key,
        "access_secret": _sealed(access.access_secret, before.access_secret if before else None, sealer),
        "insecure": access.insecure,
        "ca_certificate": access.ca_certificate,
        "proxy": _sealed(access.proxy, before.proxy if before else None, sealer),
        "concurrency": access.concurrency,
    }  # fmt: skip


def _sealed(wanted: Secret | None, before: str | None, sealer: Sealer) -> str | None:
    if wanted is None:
        return None
    if before is not None and sealer.open(before) == wanted:
        return before
    return sealer.seal(wanted)


def _uses(registry_id: int) -> ColumnElement[bool]:
    return or_(policies.c.source_id == registry_id, policies.c.target_id == registry_id)


def _event(kind: type[RegistryEvent], registry: Registry, **more: tuple[str, ...]) -> RegistryEvent:
    return kind(registry_id=registry.id, registry=registry.name, kind=registry.kind, url=registry.url, **more)
