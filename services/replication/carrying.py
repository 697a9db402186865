"""Carries one claimed task out: opens both ends, copies or deletes, and says what came of it.

What came of it is recorded by whoever calls it; what is about to be put at a target is noted here, before it is put.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.orm import Session, sessionmaker

from services.replication.commands.intending import intend
from services.replication.commands.settling import Ending
from services.replication.domain.claim import Claim
from services.replication.domain.policy import FilterKind, Policy, ResourceKind
from services.replication.domain.task import Operation, TaskState
from services.replication.ends import Catalogue, Content, End
from services.replication.local import LocalEnd
from services.replication.queries import content as content_queries
from services.replication.retaining import retain
from services.replication.tables import copies
from services.replication.transfer.copy import Copier, Order, Parallel, Report, Say, reference_of
from services.replication.transfer.deletion import Copied, delete
from services.replication.transfer.meter import Meter
from services.replication.transfer.shelf import Shelf
from shared.names import Digest
from shared.registry.manifests import IMAGE_CONFIG_TYPES, Index, parse

_IMAGE: Final = ResourceKind.IMAGE


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """What carrying out takes, beside the task."""

    local: LocalEnd
    """This registry."""
    remote: Catalogue
    """The other one."""
    sessions: sessionmaker[Session]
    shelf: Shelf
    parallel: Parallel

    def carry_out(self, claim: Claim, meter: Meter, say: Say) -> Ending:
        """Do what the task says, by what both registries hold now. Raises AttemptFailed, Unavailable."""
        source, target = (
            (self.local, self.remote.end) if claim.policy.pushes else (self.remote.end, self.local)
        )
        if claim.operation is Operation.DELETION:
            present = [name for name in claim.references if source.resolve(claim.source, reference_of(name))]
            if not present:
                return self._delete(claim, target, claim.references, meter, say)
        report = self._copier(claim, source, target).copy(self._order(claim), meter, say)
        if claim.policy.copy_labels and not claim.dry_run:
            self._label(claim, {*report.copied.values(), *report.present.values()}, say)
        if claim.policy.copy_retention and not claim.dry_run:
            retain(self.sessions, self.remote, claim, say)
        gone = report.missing if claim.policy.deletion and not claim.dry_run else []
        deleted = self._delete(claim, target, tuple(gone), meter, say).deleted if gone else ()
        return Ending(
            state=TaskState.SUCCEEDED,
            message=report.summary(dry_run=claim.dry_run),
            progress=meter.now,
            copied={} if claim.dry_run else self._brought(claim, report),
            deleted=deleted,
            source=claim.source,
            target=claim.target,
        )

    def _copier(self, claim: Claim, source: End, target: End) -> Copier:
        if claim.policy.pushes and not claim.dry_run:
            # what is there for the first time takes its project along
            self.remote.prepare(claim.target, public=claim.public)
        elif not claim.dry_run:
            self.local.prepare(claim.target)
        return Copier(
            source=source,
            target=target,
            shelf=self.shelf,
            parallel=self.parallel,
            referring=self._referring(claim, source),
            means=lambda content: self._means(claim.policy, claim.source, content),
            intend=lambda references, digest: self._intend(claim, references, digest),
        )

    def _order(self, claim: Claim) -> Order:
        return Order(
            source=claim.source,
            target=claim.target,
            references=claim.references,
            catalogued=claim.catalogued,
            override=claim.policy.override,
            by_chunk=claim.policy.copy_by_chunk,
            dry_run=claim.dry_run,
        )

    def _referring(self, claim: Claim, source: End) -> Callable[[str, Digest], list[Digest]]:
        """Here the catalogue is asked, which every referrer is in; elsewhere the registry."""

        def here(repository: str, digest: Digest) -> list[Digest]:
            if not claim.referred:
                return []
            with self.sessions() as session:
                return list(content_queries.referrers_of(session, repository, digest))

        def there(repository: str, digest: Digest) -> list[Digest]:
            return [each.digest for each in source.referrers(repository, digest)]

        return here if claim.policy.pushes else there

    def _means(self, policy: Policy, repository: str, content: Content) -> bool:
        """Whether the policy's filters on types and labels let an artifact through."""
        labels: tuple[str, ...] = ()
        if policy.pushes and any(each.kind is FilterKind.LABEL for each in policy.filters):
            with self.sessions() as session:
                labels = tuple(
                    each.name for each in content_queries.labels_of(session, repository, content.digest)
                )
        elif not policy.pushes:
            # what another registry's labels are was asked when the run was prepared
            policy = _without_labels(policy)
        return policy.takes(kind_of(content), labels)

    def _label(self, claim: Claim, artifacts: Collection[Digest], say: Say) -> None:
        """Put on artifacts at the target the labels that they bear here, on those too that were there already."""
        for digest in sorted(artifacts, key=str):
            with self.sessions() as session:
                labels = content_queries.labels_of(session, claim.source, digest)
            if labels and (added := self.remote.label(claim.target, digest, labels)):
                say(f"{claim.target}@{digest} bears {', '.join(added)} now")

    def _delete(
        self, claim: Claim, target: End, references: tuple[str, ...], meter: Meter, say: Say
    ) -> Ending:
        """Take from the target what of these the policy brought there."""
        for copied in self._copied(claim, references):
            delete(target, copied, say)
        return Ending(
            state=TaskState.SUCCEEDED,
            message=f"{len(references)} taken from the target",
            progress=meter.now,
            deleted=references,
            source=claim.source,
            target=claim.target,
        )

    def _intend(self, claim: Claim, references: Sequence[str], digest: Digest) -> None:
        with self.sessions.begin() as session:
            intend(session, claim, references, digest)

    def _brought(self, claim: Claim, report: Report) -> dict[str, str]:
        """What this task has put there, and what is there that an attempt before this one was about to put."""
        begun = self._copied(claim, tuple(report.present)) if claim.attempt > 1 else []
        intended = {(each.reference, digest) for each in begun for digest in each.digests}
        found = {name: digest for name, digest in report.present.items() if (name, digest) in intended}
        return {name: digest.text for name, digest in (report.copied | found).items()}

    def _copied(self, claim: Claim, references: tuple[str, ...]) -> list[Copied]:
        mine = copies.select().where(
            copies.c.policy_id == claim.policy.id,
            copies.c.source == claim.source,
            copies.c.reference.in_(references),
        )
        with self.sessions() as session:
            return [
                Copied(
                    target=row.target,
                    reference=row.reference,
                    digests=frozenset(Digest(text) for text in (row.digest, row.intended) if text),
                )
                for row in session.execute(mine)
            ]


def kind_of(content: Content) -> ResourceKind:
    """The type of resource that a manifest is."""
    stored = parse(content.body, content.media_type)
    if isinstance(stored, Index):
        return ResourceKind.ARTIFACT if stored.artifact_type else _IMAGE
    return _IMAGE if stored.config.media_type in IMAGE_CONFIG_TYPES else ResourceKind.ARTIFACT


def _without_labels(policy: Policy) -> Policy:
    return replace(policy, filters=tuple(each for each in policy.filters if each.kind is not FilterKind.LABEL))
