"""Long lists of referrers, part by part, half of them not in the catalogue yet."""

from __future__ import annotations

import pytest

from services.api.queries import referrer
from services.api.queries.referrer import list_referrers
from shared.names import Digest, RepositoryName
from tests.clients.images import make_image, make_referrer
from tests.integration.metadata.conftest import Catalogue
from tests.integration.registry_rig import Pusher

NAME = "library/app"
APP = RepositoryName(NAME)


@pytest.mark.parametrize("page", [1, 2, 3, 7, 50])
def test_every_referrer_is_in_one_part_of_the_list(
    catalogue: Catalogue, pusher: Pusher, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(referrer, "PAGE", page)
    image = make_image("subject")
    made = [make_referrer(image.manifest, annotations={"number": str(number)}) for number in range(8)]
    for number, each in enumerate(made):
        pusher.push(NAME, each.digest, each)
        if number % 2:
            catalogue.observe(NAME, each.digest)
        else:
            row = catalogue.expect("put", NAME, each.digest, each.digest, age=5)
            catalogue.rows(
                "UPDATE events.expected SET subject = %s, answered_at = now() WHERE id = %s RETURNING id",
                image.digest, row,
            )  # fmt: skip
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        part = list_referrers(
            catalogue.sessions, catalogue.client, repository=APP, subject=Digest(image.digest), after=after
        )
        found += [each.digest for each in part.records]
        after = part.after
    assert found == sorted(each.digest for each in made)


def test_a_write_that_the_registry_has_not_taken_is_not_looked_for(catalogue: Catalogue, pusher: Pusher) -> None:
    image = make_image("subject")
    made = make_referrer(image.manifest)
    pusher.push(NAME, made.digest, made)
    row = catalogue.expect("put", NAME, made.digest, made.digest, age=5)
    catalogue.rows("UPDATE events.expected SET subject = %s WHERE id = %s RETURNING id", image.digest, row)

    def listed() -> list[str]:
        subject = Digest(image.digest)
        part = list_referrers(catalogue.sessions, catalogue.client, repository=APP, subject=subject)
        return [each.digest for each in part.records]

    assert listed() == []
    catalogue.rows("UPDATE events.expected SET state = 'refused', answered_at = now() RETURNING id")
    assert listed() == []
    catalogue.rows("UPDATE events.expected SET state = 'settled' RETURNING id")
    assert listed() == [made.digest]
