"""The signature, by the worked example of AWS's documentation of Signature Version 4 (IAM, ListUsers)."""

from __future__ import annotations

from datetime import UTC, datetime

from services.replication.remote.adapters.sigv4 import Signer
from shared.secrets import Secret

SIGNER = Signer(
    key_id="AKIDEXAMPLE",
    secret=Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    region="us-east-1",
    service="iam",
)


def test_the_key_of_a_day_is_that_of_the_example() -> None:
    assert SIGNER.key("20150830").hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"


def test_a_request_is_signed_as_in_the_example() -> None:
    headers = {
        "Host": "iam.amazonaws.com", "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
    }  # fmt: skip
    query = "Action=ListUsers&Version=2010-05-08"
    signed = SIGNER.headers("GET", "/", query, headers, b"", now=datetime(2015, 8, 30, 12, 36, tzinfo=UTC))
    assert signed["X-Amz-Date"] == "20150830T123600Z"
    assert signed["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request,"
        " SignedHeaders=content-type;host;x-amz-date,"
        " Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )
