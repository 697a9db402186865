"""The bucket that the registry's images lie in, where they do not lie on the disk: asked as the registry asks it."""

from collections.abc import Iterable, Iterator
from typing import Final

from compose.local.bucket import bucket_of
from compose.local.doctor.finding import Finding, broken
from compose.local.doctor.patient import Check, Patient
from shared.errors import ConfigurationError, Unavailable


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


CHECKS: Final[Iterable[Check]] = (
    Check(
        name="bucket",
        looks_for="a bucket of images that does not answer, is not there, or that the keys do not open",
        remedy="look at the storage and at the BREAKWATER_S3_ settings; `./breakwater up` takes new ones over",
        ask=bucket,
    ),
)
