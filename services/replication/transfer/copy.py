"""Copies one artifact: asks what the target has, brings what it lacks, and leaves alone what is not to be overwritten.

It can be broken off at any point and begun anew: what has arrived is found there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.replication.domain.task import Fault
from services.replication.ends import Content, End
from services.replication.errors import AttemptFailed
from services.replication.transfer.closure import Part, Referring, parts_of, subject_of
from services.replication.transfer.meter import Meter
from services.replication.transfer.shelf import Shelf
from shared.names import Digest, TagName
from shared.registry.manifests import Descriptor

CHUNK: Final = 10 * 1024 * 1024
_WORTH_ASKING: Final = 3
"""With more blobs than this one question for the manifest saves several for blobs."""
_WORTH_A_LINE: Final = 10_000_000
"""Bytes of a blob that is told of by itself."""
_NOT_EVERYWHERE: Final = (
    "a manifest names layers that are elsewhere: to these distribution answers so, "
    "unless its validation.manifests.urls allows their addresses"
)

Parallel = Callable[[Sequence[Callable[[], None]]], None]
"""Runs functions at the same time and raises what one of them raised, when all have ended."""
Say = Callable[[str], None]
"""Writes a line into the task's log."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What is to be copied, and how."""

    source: str
    target: str
    references: tuple[str, ...]
    """Tags; or the digest of what refers to another manifest and has none."""
    override: bool
    catalogued: Mapping[str, Digest] = field(default_factory=dict)
    """What the source is known to have under its tags: where the target has the same, the source is not asked."""
    by_chunk: bool = False
    dry_run: bool = False


@dataclass(kw_only=True, slots=True)
class Report:
    """What became of each tag."""

    copied: dict[str, Digest] = field(default_factory=dict)
    present: dict[str, Digest] = field(default_factory=dict)
    """The target had it already."""
    missing: list[str] = field(default_factory=list)
    """The source has no such tag any more."""
    left_out: list[str] = field(default_factory=list)
    """The policy does not mean what the tag stands for."""
    conflicts: list[str] = field(default_factory=list)
    """The target has something else there, and it is not to be overwritten."""

    def summary(self, *, dry_run: bool = False) -> str:
        """One line for people."""
        counted = (
            ("would be copied" if dry_run else "copied", len(self.copied)),
            ("there already", len(self.present)),
            ("gone from the source", len(self.missing)),
            ("left out", len(self.left_out)),
            ("in conflict", len(self.conflicts)),
        )
        return ", ".join(f"{number} {what}" for what, number in counted if number) or "nothing to do"


@dataclass(frozen=True, kw_only=True)
class Copier:
    """Copies between two ends, with what the process knows of the target's blobs."""

    source: End
    target: End
    shelf: Shelf
    parallel: Parallel
    referring: Referring
    means: Callable[[Content], bool]
    """Whether the policy means an artifact, its name and tags left aside."""
    intend: Callable[[Sequence[str], Digest], None]
    """Told what is put under which names before it is put: its answer may be lost."""

    def copy(self, order: Order, meter: Meter, say: Say) -> Report:
        """Copy what the tags stand for now. Raises AttemptFailed; what has been copied until then stays."""
        report = Report()
        there: dict[str, Digest | None] = {}
        for tag, digest in order.catalogued.items():
            there[tag] = self._there(order, tag)
            if there[tag] == digest:
                _note_present(order, tag, digest, report, say)
        for content, tags in self._roots(order, report, say):
            wanting = self._wanting(order, content, tags, there, report, say)
            if wanting and order.dry_run:
                self._estimate(order, content, meter)
                for tag in wanting:
                    say(f"{named(order.target, tag)} would become {content.digest}")
            elif wanting:
                self._bring(order, content, wanting, meter, say)
            report.copied.update(dict.fromkeys(wanting, content.digest))
        if report.conflicts and not order.dry_run:
            listed = ", ".join(report.conflicts[:5])
            sentence = f"{order.target} has something else under {listed}, and the policy does not override"
            raise AttemptFailed(Fault.CONFLICT, sentence)
        return report

    def _roots(self, order: Order, report: Report, say: Say) -> list[tuple[Content, list[str]]]:
        """What the tags stand for, each artifact once."""
        found: dict[Digest, tuple[Content, list[str]]] = {}
        for name in order.references:
            if name in report.present:
                continue
            reference = reference_of(name)
            content = self.source.manifest(order.source, reference)
            if content is None:
                report.missing.append(name)
                say(f"{named(order.source, name)} is not there any more")
            elif isinstance(reference, Digest) and not self._joins(order, content):
                report.left_out.append(name)
                say(f"{named(order.source, name)} has no tag: it goes along with what it refers to, not there yet")
            elif not self.means(content):
                report.left_out.append(name)
                say(f"{named(order.source, name)} is left out by the policy's filters")
            else:
                found.setdefault(content.digest, (content, []))[1].append(name)
        return list(found.values())

    def _joins(self, order: Order, content: Content) -> bool:
        """Whether an artifact without a tag refers to one that the target has: it goes where its subject is."""
        subject = subject_of(content)
        return subject is not None and self.target.resolve(order.target, subject) is not None

    def _wanting(
        self,
        order: Order,
        content: Content,
        tags: list[str],
        there: Mapping[str, Digest | None],
        report: Report,
        say: Say,
    ) -> list[str]:
        """The tags that the target lacks; `there` is what it is known to have under some of them."""
        wanting = []
        for tag in tags:
            held = there[tag] if tag in there else self._there(order, tag)
            if held == content.digest:
                _note_present(order, tag, content.digest, report, say)
            elif held is not None and not order.override:
                report.conflicts.append(tag)
                say(f"{named(order.target, tag)} is {held} and not {content.digest}: left as it is")
            else:
                wanting.append(tag)
        return wanting

    def _there(self, order: Order, tag: str) -> Digest | None:
        """What the target has under a tag; while nothing is made yet, what may not be asked for is not there."""
        try:
            return self.target.resolve(order.target, reference_of(tag))
        except AttemptFailed as error:
            if order.dry_run and error.fault is Fault.DENIED:
                return None
            raise

    def _bring(self, order: Order, content: Content, tags: list[str], meter: Meter, say: Say) -> None:
        parts = parts_of(self.source, order.source, content, self.referring)
        blobs = _each_once(parts)
        meter.plan(len(blobs), sum(blob.size for blob in blobs))
        before = [part for part in parts if part.content.digest != content.digest and not _follows(part, parts)]
        after = [part for part in parts if _follows(part, parts)]
        lacking = self._lacking(order, content, blobs, meter)
        self.parallel([lambda blob=blob: self._blob(order, blob, meter, say) for blob in lacking])  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        try:
            for part in before:
                self.target.put_manifest(order.target, part.content.digest, part.content)
            self.intend(tags, content.digest)
            for tag in tags:
                self.target.put_manifest(order.target, reference_of(tag), content)
                say(f"{named(order.target, tag)} is {content.digest} now; {meter.now.bytes_sent} bytes were sent")
            for part in after:
                self.target.put_manifest(order.target, part.content.digest, part.content)
        except AttemptFailed as error:
            self.shelf.forget(self.target.place, order.target)
            # a blob that was there may be collected meanwhile: another attempt asks for each of them anew
            fault = Fault.SERVER_ERROR if error.fault is Fault.NOT_FOUND else error.fault
            elsewhere = fault is Fault.SERVER_ERROR and any(part.names_others for part in parts)
            sentence = f"{error.sentence}; {_NOT_EVERYWHERE}" if elsewhere else error.sentence
            raise AttemptFailed(fault, sentence, after=error.after) from error

    def _lacking(self, order: Order, content: Content, blobs: list[Descriptor], meter: Meter) -> list[Descriptor]:
        """The blobs that may have to be brought: none where the target has the very manifest under another tag."""
        unknown = [blob for blob in blobs if not self.shelf.holds(self.target.place, order.target, blob.digest)]
        for blob in blobs:
            if blob not in unknown:
                meter.arrived(blob.size)
        if len(unknown) > _WORTH_ASKING and self.target.resolve(order.target, content.digest) == content.digest:
            for blob in unknown:
                self.shelf.add(self.target.place, order.target, blob.digest)
                meter.arrived(blob.size)
            return []
        return unknown

    def _blob(self, order: Order, blob: Descriptor, meter: Meter, say: Say) -> None:
        """See to it that the target's repository holds a blob."""
        place, repository = self.target.place, order.target
        with self.shelf.alone(place, blob.digest):
            if not self.shelf.holds(place, repository, blob.digest):
                sent = self.target.put_blob(
                    repository,
                    blob,
                    lambda offset: self.source.open_blob(order.source, blob.digest, offset),
                    chunk=CHUNK if order.by_chunk else None,
                    sent=meter.sent,
                    held_by=self.shelf.elsewhere(place, repository, blob.digest) or repository,
                )
                if sent and blob.size >= _WORTH_A_LINE:
                    say(f"blob {blob.digest} of {blob.size} bytes is sent")
            self.shelf.add(place, repository, blob.digest)
        meter.arrived(blob.size)

    def _estimate(self, order: Order, content: Content, meter: Meter) -> None:
        """Count the blobs and bytes that would be sent; each once, whatever other artifact needs it too."""
        blobs = _each_once(parts_of(self.source, order.source, content, self.referring))
        unknown = [blob for blob in blobs if not self.shelf.holds(self.target.place, order.target, blob.digest)]

        def ask(blob: Descriptor) -> None:
            with self.shelf.alone(self.target.place, blob.digest):
                if self.shelf.elsewhere(self.target.place, "", blob.digest) is None:
                    if not self._has(order, blob.digest):
                        meter.plan(1, blob.size)
                    self.shelf.add(self.target.place, order.target, blob.digest)

        self.parallel([lambda blob=blob: ask(blob) for blob in unknown])  # type: ignore[misc]  # as above

    def _has(self, order: Order, digest: Digest) -> bool:
        try:
            return self.target.has_blob(order.target, digest)
        except AttemptFailed as error:
            if error.fault is Fault.DENIED:
                return False
            raise


def _each_once(parts: Sequence[Part]) -> list[Descriptor]:
    return list({blob.digest: blob for part in parts for blob in part.blobs}.values())


def _follows(part: Part, parts: Sequence[Part]) -> bool:
    """Whether a part refers to another one, which has to be there first."""
    return part.subject is not None and any(other.content.digest == part.subject for other in parts)


def named(repository: str, reference: str) -> str:
    """An artifact as people write it: by its tag or its digest."""
    return f"{repository}{'@' if ':' in reference else ':'}{reference}"


def _note_present(order: Order, tag: str, digest: Digest, report: Report, say: Say) -> None:
    report.present[tag] = digest
    say(f"{named(order.target, tag)} is there already")


def reference_of(text: str) -> TagName | Digest:
    """A reference by its form: a digest has a colon."""
    return Digest.parse(text) if ":" in text else TagName.parse(text)
