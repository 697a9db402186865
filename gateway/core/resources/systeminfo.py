"""Tag systeminfo: what this system is, and how much room it has."""

import shutil
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gateway.core.access import require_system
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.writing import Json, given, time_or_never
from services.api.queries import configuration
from shared.errors import NotFound
from shared.settings import Settings

VERSION: Final = "v2.16.0-breakwater"
"""The version of Harbor's API that is answered: clients choose by it what they may ask."""


class SystemInfo:
    """/systeminfo."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Tell strangers what a login page needs, and the rest to whoever has signed in."""
        values = configuration.values(req.database)
        info = given(
            auth_mode=values["auth_mode"],
            primary_auth_mode=values["primary_auth_mode"],
            self_registration=values["self_registration"],
            banner_message=values["banner_message"],
            oidc_provider_name="",
        )
        resp.media = info | (self._details(req, values) if req.caller.is_authenticated else {})

    def _details(self, req: ApiRequest, values: configuration.Values) -> Json:
        url = str(self._settings.url or req.forwarded_prefix).rstrip("/")
        return given(
            current_time=time_or_never(req.now),
            external_url=url,
            registry_url=url.partition("://")[2],
            project_creation_restriction=values["project_creation_restriction"],
            has_ca_root=root_certificate(self._settings.public_certificate) is not None,
            harbor_version=VERSION,
            registry_storage_provider_name="s3" if self._settings.s3_bucket else "filesystem",
            read_only=values["read_only"],
            notification_enable=values["notification_enable"],
        )


class Volumes:
    """/systeminfo/volumes."""

    def __init__(self, settings: Settings) -> None:
        self._home, self._bucket = settings.home, settings.s3_bucket

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Tell how much room there is for blobs; of a bucket nobody knows."""
        require_system(req, ("system-volumes", "read"))
        if self._bucket:
            resp.media = {"storage": []}
            return
        usage = shutil.disk_usage(self._home)
        resp.media = {"storage": [{"total": usage.total, "free": usage.free}]}


class RootCertificate:
    """/systeminfo/getcert."""

    def __init__(self, settings: Settings) -> None:
        self._certificate = settings.public_certificate

    def on_get(self, _req: ApiRequest, resp: ApiResponse) -> None:
        """Hand out the certificate that clients have to trust, where our chain carries it."""
        root = root_certificate(self._certificate)
        if root is None:
            raise NotFound("there is no root certificate to hand out")
        resp.content_type = "application/octet-stream"
        resp.downloadable_as = "ca.crt"
        resp.data = root


def root_certificate(chain: Path | None) -> bytes | None:
    """The self-signed end of a certificate chain."""
    try:
        certificates = x509.load_pem_x509_certificates(chain.read_bytes()) if chain else []
    except (OSError, ValueError):
        return None
    roots = [each for each in certificates if each.issuer == each.subject]
    return roots[-1].public_bytes(serialization.Encoding.PEM) if roots else None
