"""What a machine has to trust before it speaks with this registry, and where each client looks for that."""

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.errors import Refused
from gateway.portal.portal import Page, page

_CERTIFICATE: Final = "/systeminfo/getcert"
_MISSING: Final = 404


class Trust(Page):
    """/trust."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """For everybody: whoever cannot sign in yet needs it most."""
        host, root = req.get_header("Host") or "", self._root(req)
        self.portal.show(
            req, resp, "trust.html", without_tls=req.forwarded_scheme != "https",
            fingerprint=_fingerprint(root) if root else "", fetching=_fetching(host), clients=_clients(host),
        )

    def _root(self, req: ApiRequest) -> bytes | None:
        try:
            return self.portal.api(req).send("GET", _CERTIFICATE).body
        except Refused as refused:
            if refused.status == _MISSING:
                return None
            raise


def _fingerprint(root: bytes) -> str:
    """As openssl writes it."""
    return x509.load_pem_x509_certificate(root).fingerprint(hashes.SHA256()).hex(":").upper()


def _fetching(host: str) -> tuple[str, str]:
    """How the file comes to a machine, and what its fingerprint is there."""
    return (
        f"curl --fail --insecure --output ca.crt https://{host}/api/v2.0{_CERTIFICATE}",
        "openssl x509 -in ca.crt -noout -fingerprint -sha256",
    )


def _clients(host: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """For each client the commands that lay the file where it looks."""
    hosts = f'server = "https://{host}"\\n[host."https://{host}"]\\nca = "/etc/containerd/certs.d/{host}/ca.crt"\\n'
    return (
        ("Docker", (f"sudo install -D -m 644 ca.crt /etc/docker/certs.d/{host}/ca.crt",)),
        ("Podman, Skopeo, Buildah", (f"sudo install -D -m 644 ca.crt /etc/containers/certs.d/{host}/ca.crt",)),
        ("containerd", (
            f"sudo install -D -m 644 ca.crt /etc/containerd/certs.d/{host}/ca.crt",
            f"printf '{hosts}' | sudo tee /etc/containerd/certs.d/{host}/hosts.toml",
        )),
        ("All of Debian or Ubuntu", (
            "sudo install -m 644 ca.crt /usr/local/share/ca-certificates/breakwater.crt",
            "sudo update-ca-certificates",
        )),
        ("All of Fedora or Red Hat Enterprise Linux", (
            "sudo install -m 644 ca.crt /etc/pki/ca-trust/source/anchors/breakwater.crt",
            "sudo update-ca-trust",
        )),
    )  # fmt: skip
