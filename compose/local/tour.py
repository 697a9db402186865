"""The tour: what a client does, through the one public port, and what the system makes of it."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin

import requests
import urllib3

from compose.local.image import MANIFEST_TYPE, Image, digest, tiny_image
from shared.errors import BreakwaterError
from shared.secrets import Secret
from shared.settings import TOKEN_SERVICE

PROJECT, REPOSITORY, TAG = "library", "library/tour", "hello"
_TIMEOUT = (3.0, 15.0)
_PATIENCE_SECONDS = 20.0


class TourFailed(BreakwaterError):
    """A step did not end as it should."""

    code = "TOUR_FAILED"


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that was done, and what came of it."""

    done: str
    result: str


class Tour:
    """One tour of an instance as its administrator."""

    def __init__(self, url: str, user: str, password: Secret) -> None:
        self._url = url
        self._user = user
        self._password = password
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy of the environment does not know this machine's own port
        # our own proxy on our own machine: the certificate is made out to the name that clients use
        self._http.verify = False
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def steps(self) -> Iterator[Step]:
        """Take it, step by step. Raises TourFailed."""
        begun = datetime.now(UTC)
        image = tiny_image()
        try:
            self._token()
            yield Step(done=f"log in as {self._user}", result="a token that lives minutes")
            with closing(self._listen()) as stream:
                size = self._push(image)
                yield Step(done=f"push {REPOSITORY}:{TAG}", result=f"{size} bytes, {digest(image.manifest)[:19]}…")
                self._pull(image)
                yield Step(done=f"pull {REPOSITORY}:{TAG}", result="the same bytes")
                row = self._audit_row(begun)
                yield Step(
                    done="the audit record",
                    result=f"{row['op_time']} {row['username']} {row['operation']} {row['resource']}",
                )
                event = self._event(stream)
                yield Step(done="the event stream", result=f"{event['sequence']} {event['type']} {event['subject']}")
        except requests.RequestException as error:
            raise TourFailed(f"the tour broke off: {self._url} does not answer as it should ({error})") from error

    def _token(self, *actions: str) -> dict[str, str]:
        scope = {"scope": f"repository:{REPOSITORY}:{','.join(actions)}"} if actions else {}
        answer = self._http.get(
            f"{self._url}/auth/token",
            params={"service": TOKEN_SERVICE, "account": self._user} | scope,
            auth=(self._user, self._password.reveal()),
            timeout=_TIMEOUT,
        )
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise TourFailed(f"{self._user} cannot log in: the password in the secrets folder is not the account's")
        self._expect(answer, HTTPStatus.OK, "log in")
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    def _push(self, image: Image) -> int:
        bearer = self._token("push", "pull")
        for blob in image.blobs:
            begin = self._http.post(f"{self._url}/v2/{REPOSITORY}/blobs/uploads/", headers=bearer, timeout=_TIMEOUT)
            self._expect(begin, HTTPStatus.ACCEPTED, "begin an upload")
            place = urljoin(self._url, begin.headers["Location"])
            put = self._http.put(
                place,
                params={"digest": digest(blob)},
                data=blob,
                headers=bearer | {"Content-Type": "application/octet-stream"},
                timeout=_TIMEOUT,
            )
            self._expect(put, HTTPStatus.CREATED, "upload a blob")
        put = self._http.put(
            f"{self._url}/v2/{REPOSITORY}/manifests/{TAG}",
            data=image.manifest,
            headers=bearer | {"Content-Type": MANIFEST_TYPE},
            timeout=_TIMEOUT,
        )
        self._expect(put, HTTPStatus.CREATED, "push the manifest")
        return sum(map(len, (*image.blobs, image.manifest)))

    def _pull(self, image: Image) -> None:
        headers = self._token("pull") | {"Accept": MANIFEST_TYPE}
        wanted = [("manifests", TAG, image.manifest)] + [("blobs", digest(blob), blob) for blob in image.blobs]
        for kind, reference, content in wanted:
            got = self._http.get(f"{self._url}/v2/{REPOSITORY}/{kind}/{reference}", headers=headers, timeout=_TIMEOUT)
            self._expect(got, HTTPStatus.OK, f"pull {reference}")
            if got.content != content:
                raise TourFailed(f"what was pulled as {reference} is not what was pushed")

    def _audit_row(self, since: datetime) -> dict[str, Any]:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            answer = self._http.get(
                f"{self._url}/api/v2.0/projects/{PROJECT}/auditlog-exts",
                params={"page_size": "20"},
                auth=(self._user, self._password.reveal()),
                timeout=_TIMEOUT,
            )
            self._expect(answer, HTTPStatus.OK, "read the audit record")
            for row in answer.json():
                fresh = datetime.fromisoformat(row["op_time"]) >= since.replace(microsecond=0)
                if fresh and row["operation"] == "create" and row["resource"].startswith(REPOSITORY):
                    found: dict[str, Any] = row
                    return found
            time.sleep(0.2)
        raise TourFailed(f"the push is not in the audit record after {_PATIENCE_SECONDS:.0f} s")

    def _listen(self) -> requests.Response:
        answer = self._http.get(
            f"{self._url}/api/v2.0/events/stream",
            params={"project": PROJECT},
            headers={"Accept": "text/event-stream"},
            auth=(self._user, self._password.reveal()),
            stream=True,
            timeout=_TIMEOUT,
        )
        self._expect(answer, HTTPStatus.OK, "open the event stream")
        return answer

    def _event(self, stream: requests.Response) -> dict[str, Any]:
        """The push, among what the stream has sent since it was opened."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for line in stream.iter_lines():
            if line.startswith(b"data:"):
                event: dict[str, Any] = json.loads(line.removeprefix(b"data:"))
                pushed = event["type"].startswith("breakwater.artifact.pushed.")
                if pushed and event["data"]["repository"] == REPOSITORY:
                    return event
            if time.monotonic() > deadline:
                break
        raise TourFailed(f"the push is not in the event stream after {_PATIENCE_SECONDS:.0f} s")

    def _expect(self, answer: requests.Response, status: HTTPStatus, what: str) -> None:
        if answer.status_code != status:
            raise TourFailed(f"could not {what}: {answer.status_code} {answer.text.strip()[:300]}")
