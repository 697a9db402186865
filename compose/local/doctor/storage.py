"""The registry's storage: a bucket is asked as the registry asks it, and on the disk the images have to be there."""

from collections.abc import Iterable, Iterator
from typing import Final

from compose.local.bucket import bucket_of
from compose.local.doctor.finding import Finding, broken
from compose.local.doctor.patient import Check, Patient
from shared.errors import ConfigurationError, Unavailable
from shared.registry.bucket import ROOT


def bucket(patient: Patient) -> Iterator[Finding]:
    """Whether it can be listed with the keys at hand."""
    try:
        found = bucket_of(patient.layout, patient.options)
        if found is not None:
            found.holds(attempts=1)
    except ConfigurationError as error:
        yield broken(error.sentence, "correct the BREAKWATER_S3_ settings and run ./breakwater up")
    except Unavailable as error:
        yield broken(error.sentence, "look at that storage and the way to it: pushes and pulls fail until it answers")


def images(patient: Patient) -> Iterator[Finding]:
    """Whether any of some repositories with artifacts is in the storage: where none is, it is another one."""
    with patient.database() as database:
        names = [name for (name,) in database.execute(_SOME).fetchall()]
    if not names:
        return
    bucket = bucket_of(patient.layout, patient.options)
    folder = patient.layout.registry
    if bucket is not None:
        place, there = str(bucket), bucket.holds(f"{ROOT}/repositories/", attempts=1)
    else:
        place, there = str(folder), any((folder / ROOT / "repositories" / name).is_dir() for name in names)
    if not there:
        yield broken(
            f"{place} holds none of {len(names)} repositories that the catalogue knows: pulls answer 404",
            "mount the registry's storage there again, or bring it back from a backup; push nothing before that",
        )


_SOME: Final = "SELECT name FROM core.repositories WHERE artifact_count > 0 ORDER BY random() LIMIT 20"

IMAGES: Final = Check(
    name="images",
    looks_for="a storage without the repositories that the catalogue knows: one that is not mounted",
    remedy="mount it again, or bring it back; `./breakwater reconcile` changes nothing meanwhile",
    ask=images,
)
CHECKS: Final[Iterable[Check]] = (
    Check(
        name="bucket",
        looks_for="a bucket of images that does not answer, is not there, or that the keys do not open",
        remedy="look at the storage and at the BREAKWATER_S3_ settings; `./breakwater up` takes new ones over",
        ask=bucket,
    ),
)
