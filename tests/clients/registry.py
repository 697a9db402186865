"""The registry's HTTP API spoken plainly, token dance included, so that each answer can be looked at."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import requests

from tests.clients.images import ACCEPTED, Image, Index, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.clients.images import Blob

TIMEOUT: Final = 60
_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')


class RegistryClient:
    """One subject at one registry; with no name it asks for tokens anonymously.

    Tokens are asked for each set of scopes once and kept, as clients do within one command; `forget()` drops them.
    """

    def __init__(self, url: str, username: str | None = None, password: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._credentials = (username, password or "") if username is not None else None
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers["User-Agent"] = "breakwater-tests/1"
        self._tokens: dict[tuple[str, ...], str] = {}

    def forget(self) -> None:
        """Drops every token, as a new command would begin."""
        self._tokens.clear()

    def close(self) -> None:
        self._http.close()

    # tokens

    def ask_token(self, scopes: Iterable[str] = (), **parameters: str) -> requests.Response:
        """The raw answer of the token endpoint that the challenge names."""
        challenge = self.challenge()
        asked = [("service", challenge["service"]), *parameters.items(), *(("scope", scope) for scope in scopes)]
        return self._http.get(challenge["realm"], params=asked, auth=self._credentials, timeout=TIMEOUT)

    def challenge(self) -> Mapping[str, str]:
        """The parameters of the registry's challenge at /v2/."""
        answer = self._http.get(f"{self.url}/v2/", timeout=TIMEOUT)
        assert answer.status_code == requests.codes.unauthorized, answer.text
        return dict(_PARAMETER.findall(answer.headers["WWW-Authenticate"]))

    def token(self, *scopes: str) -> str:
        """A bearer token for the scopes, whatever it turns out to grant."""
        if scopes not in self._tokens:
            answer = self.ask_token(scopes)
            answer.raise_for_status()
            self._tokens[scopes] = answer.json()["token"]
        return self._tokens[scopes]

    def send(
        self,
        method: str,
        path: str,
        *scopes: str,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> requests.Response:
        """One request with a token for the scopes (or with the given one)."""
        url = path if path.startswith("http") else f"{self.url}{path}"
        bearer = token or self.token(*scopes)
        sent = {"Authorization": f"Bearer {bearer}", **(headers or {})}
        return self._http.request(method, url, data=data, headers=sent, timeout=TIMEOUT, allow_redirects=False)

    # blobs

    def has_blob(self, repository: str, digest: str) -> bool:
        path = f"/v2/{repository}/blobs/{digest}"
        return self.send("HEAD", path, _scope(repository, "pull")).ok

    def push_blob(self, repository: str, blob: Blob) -> requests.Response:
        """POST and one PUT; the last answer, or the first refusal."""
        scope = _scope(repository, "pull,push")
        begun = self.send("POST", f"/v2/{repository}/blobs/uploads/", scope, data=b"")
        if begun.status_code != requests.codes.accepted:
            return begun
        location = begun.headers["Location"]
        sign = "&" if "?" in location else "?"
        return self.send(
            "PUT", f"{location}{sign}digest={blob.digest}", scope, data=blob.content,
            headers={"Content-Type": "application/octet-stream"},
        )

    def mount_blob(self, repository: str, digest: str, source: str) -> requests.Response:
        """Asks to mount a blob of another repository: 201 mounted, 202 an upload was begun instead, 401 refused."""
        path = f"/v2/{repository}/blobs/uploads/?mount={digest}&from={source}"
        return self.send("POST", path, _scope(repository, "pull,push"), _scope(source, "pull"), data=b"")

    def get_blob(self, repository: str, digest: str) -> requests.Response:
        return self.send("GET", f"/v2/{repository}/blobs/{digest}", _scope(repository, "pull"))

    # manifests

    def put_manifest(self, repository: str, reference: str, manifest: Blob) -> requests.Response:
        return self.send(
            "PUT", f"/v2/{repository}/manifests/{reference}", _scope(repository, "pull,push"), data=manifest.content,
            headers={"Content-Type": manifest.media_type},
        )

    def get_manifest(self, repository: str, reference: str, *, method: str = "GET") -> requests.Response:
        return self.send(
            method, f"/v2/{repository}/manifests/{reference}", _scope(repository, "pull"),
            headers={"Accept": ", ".join(ACCEPTED)},
        )

    def delete_manifest(self, repository: str, digest: str) -> requests.Response:
        return self.send("DELETE", f"/v2/{repository}/manifests/{digest}", _scope(repository, "pull,delete"))

    def tags(self, repository: str) -> list[str]:
        answer = self.send("GET", f"/v2/{repository}/tags/list", _scope(repository, "pull"))
        if answer.status_code == requests.codes.not_found:
            return []
        answer.raise_for_status()
        return list(answer.json()["tags"] or [])

    # whole images

    def push(self, repository: str, reference: str, made: Image | Index) -> requests.Response:
        """Blobs, then manifests, children before their index; the last answer, or the first refusal."""
        images = made.images if isinstance(made, Index) else (made,)
        for image in images:
            for blob in image.blobs:
                answer = self.push_blob(repository, blob)
                if answer.status_code != requests.codes.created:
                    return answer
            if isinstance(made, Index):
                answer = self.put_manifest(repository, image.digest, image.manifest)
                if answer.status_code != requests.codes.created:
                    return answer
        return self.put_manifest(repository, reference, made.manifest)

    def pull(self, repository: str, reference: str) -> requests.Response:
        """The manifest and every blob it names, digests checked; the manifest's answer or the first refusal."""
        answer = self.get_manifest(repository, reference)
        if answer.status_code != requests.codes.ok:
            return answer
        manifest = json.loads(answer.content)
        for named in [manifest["config"], *manifest["layers"]] if "config" in manifest else []:
            blob = self.get_blob(repository, named["digest"])
            if blob.status_code != requests.codes.ok:
                return blob
            assert digest_of(blob.content) == named["digest"]
        return answer


def _scope(repository: str, actions: str) -> str:
    return f"repository:{repository}:{actions}"
