"""What is about to be put at a target is noted before: where the answer is lost, a deletion finds it all the same."""

from collections.abc import Sequence

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.replication.domain.claim import Claim
from services.replication.tables import copies
from shared.names import Digest


def intend(session: Session, claim: Claim, references: Sequence[str], digest: Digest) -> None:
    """Note that the task's policy puts a digest there under these; what it put there before stays noted beside it."""
    shared = {
        "policy_id": claim.policy.id, "source": claim.source, "target": claim.target,
        "digest": digest.text, "intended": digest.text, "copied_at": func.now(),
    }  # fmt: skip
    session.execute(
        upsert(copies)
        .values([shared | {"reference": reference} for reference in sorted(references)])
        .on_conflict_do_update(
            index_elements=[copies.c.policy_id, copies.c.source, copies.c.reference], set_={"intended": digest.text}
        )
    )
