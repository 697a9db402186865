"""A real server that speaks S3, with a bucket and keys of its own: it checks signatures, and who may do what."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import requests

from shared.registry.bucket import Bucket
from tests.servers import free_port, short_folder, stop, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION: Final = "us-east-1"
_OPEN: Final = 4
"""How many requests are answered before everybody has to prove who they are: those that set it up."""


@dataclass(frozen=True, kw_only=True)
class Storage:
    """The server, and the keys that may do everything in its bucket."""

    url: str
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)

    def in_folder(self, prefix: str = "") -> Bucket:
        return Bucket(
            name=self.bucket, region=REGION, endpoint=self.url, prefix=prefix,
            access_key=self.access_key, secret_key=self.secret_key,
        )  # fmt: skip

    def stop(self) -> None:
        stop(self.process)

    def variables(self, prefix: str) -> dict[str, str]:
        """The settings of an instance whose images lie there."""
        return {
            "BREAKWATER_S3_BUCKET": self.bucket, "BREAKWATER_S3_ENDPOINT": self.url, "BREAKWATER_S3_PREFIX": prefix,
            "BREAKWATER_S3_ACCESS_KEY": self.access_key, "BREAKWATER_S3_SECRET_KEY": self.secret_key,
        }  # fmt: skip


@contextmanager
def s3_server(
    bucket: str = "images", *, allowed: str | None = None, host: str = "127.0.0.1"
) -> Iterator[Storage]:
    """Started; everything that was stored is gone at the end."""
    port = free_port()
    url = f"http://{host}:{port}"
    environment = os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": str(_OPEN), "MOTO_ENABLE_ISO_REGIONS": "false"}
    with short_folder() as folder:
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)],
                env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=folder, start_new_session=True,
            )  # fmt: skip
        try:
            wait_for(lambda: _serves(url), seconds=60, what="the storage answers")
            access_key, secret_key = _account(url, bucket, allowed or bucket)
            yield Storage(url=url, bucket=bucket, access_key=access_key, secret_key=secret_key, process=process)
        finally:
            stop(process)


def _serves(url: str) -> bool:
    try:
        return requests.get(f"{url}/moto-api/data.json", timeout=5).ok
    except requests.ConnectionError:
        return False


def _account(url: str, bucket: str, allowed: str) -> tuple[str, str]:
    """Somebody who may do everything in one bucket alone, or in those of a pattern; and the bucket."""
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{allowed}", f"arn:aws:s3:::{allowed}/*"]}
        ],
    }
    _iam(url, Action="CreateUser", UserName="registry")
    _iam(url, Action="PutUserPolicy", UserName="registry", PolicyName="bucket", PolicyDocument=json.dumps(policy))
    made = _iam(url, Action="CreateAccessKey", UserName="registry")
    requests.put(f"{url}/{bucket}", headers=_claim("s3"), timeout=10).raise_for_status()
    access_key, secret_key = re.findall(r"<(?:AccessKeyId|SecretAccessKey)>([^<]+)<", made)
    return access_key, secret_key


def _iam(url: str, **words: str) -> str:
    answer = requests.post(url, data=words | {"Version": "2010-05-08"}, headers=_claim("iam"), timeout=10)
    answer.raise_for_status()
    return answer.text


def _claim(service: str) -> dict[str, str]:
    """By this the server knows which service is meant; while it is being set up it checks no signature."""
    scope = f"Credential=nobody/20260101/{REGION}/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}
