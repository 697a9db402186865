"""AWS Signature Version 4, as far as one JSON request needs it.

Documentation: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.secrets import Secret

ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """Signs for one service in one region."""

    key_id: str
    secret: Secret
    region: str
    service: str

    def headers(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, *, now: datetime
    ) -> dict[str, str]:
        """The headers (Host among them) with the time and the signature; `query` is in canonical form already."""
        moment = now.strftime("%Y%m%dT%H%M%SZ")
        signed = {**headers, "X-Amz-Date": moment}
        canonical = sorted((name.lower(), " ".join(value.split())) for name, value in signed.items())
        names = ";".join(name for name, _ in canonical)
        lines = "".join(f"{name}:{value}\n" for name, value in canonical)
        request = "\n".join((method, path, query, lines, names, hashlib.sha256(body).hexdigest()))
        scope = f"{moment[:8]}/{self.region}/{self.service}/aws4_request"
        text = "\n".join((ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()))
        signature = hmac.new(self.key(moment[:8]), text.encode(), hashlib.sha256).hexdigest()
        proof = f"{ALGORITHM} Credential={self.key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {**signed, "Authorization": proof}

    def key(self, day: str) -> bytes:
        """What this day's requests are signed with."""
        key = f"AWS4{self.secret.reveal()}".encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key
