"""Accessories: artifacts that are about another one of their repository, such as signatures and bills of materials.

Harbor's name for referrers. What one is called is told by its media types alone: nothing here verifies a signature.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

COSIGN: Final = "signature.cosign"
NOTATION: Final = "signature.notation"
SBOM: Final = "sbom.harbor"
OTHER: Final = "subject.accessory"
"""Harbor's type of whatever names a subject and is none of the others."""

TYPES: Final = {
    "application/vnd.dev.cosign.artifact.sig.v1+json": COSIGN,
    "application/vnd.dev.sigstore.bundle.v0.3+json": COSIGN,
    "application/vnd.cncf.notary.signature": NOTATION,
    "application/vnd.goharbor.harbor.sbom.v1": SBOM,
}
"""Artifact type, or of what declares none the configuration's media type → type of the accessory, as Harbor has it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Accessory:
    """An artifact with a subject that is catalogued too; it has no number beside the artifact's."""

    artifact_id: int
    subject_id: int
    subject_digest: str
    repository_name: str
    digest: str
    type: str
    size: int
    pushed_at: datetime
