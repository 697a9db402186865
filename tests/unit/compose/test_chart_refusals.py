"""Values of the chart that are refused, each in words that name it: by the schema, and by what no schema can tell."""

from __future__ import annotations

from typing import Any, Final

import pytest

from compose.local.options import Options
from shared.settings import broker_nodes
from tests.clients import helm

OUTSIDE: Final[dict[str, Any]] = {
    "settings": {
        "BREAKWATER_DATABASE_HOST": "db.example.com", "BREAKWATER_DATABASE_OWNER": "company",
        "BREAKWATER_AMQP_HOST": "mq.example.com", "BREAKWATER_S3_BUCKET": "images",
    },
    "database": {"existingSecret": "owner"},
    "bucket": {"existingSecret": "keys"},
}  # fmt: skip
"""The fewest values of a pod that keeps nothing but its secrets."""


def outside(**settings: object) -> dict[str, Any]:
    """The same, with these settings."""
    return OUTSIDE | {"settings": OUTSIDE["settings"] | settings}


WRONG: Final[list[tuple[dict[str, Any], str]]] = [
    (
        {"settings": {"BREAKWATER_LOG_LEVEL": "loud"}},
        "'/settings/BREAKWATER_LOG_LEVEL': value must be one of 'debug', 'info'",
    ),
    (
        {"settings": {"BREAKWATER_TOKEN_LIFETIME_SECONDS": 59}},
        "'/settings/BREAKWATER_TOKEN_LIFETIME_SECONDS': minimum: got 59, want 60",
    ),
    ({"settings": {"BREAKWATER_WORKERS": "two"}}, "'/settings/BREAKWATER_WORKERS': got string, want integer"),
    ({"settings": {"BREAKWATER_TRACES_RATIO": 2}}, "'/settings/BREAKWATER_TRACES_RATIO': maximum: got 2, want 1"),
    ({"settings": {"BREAKWATER_PORT": 80}}, "'/settings': additional properties 'BREAKWATER_PORT' not allowed"),
    (
        {"settings": {"BREAKWATER_ADMIN_PASSWORD": "x"}},
        "additional properties 'BREAKWATER_ADMIN_PASSWORD' not allowed",
    ),
    (
        {"settings": {"BREAKWATER_URL": "registry"}},
        "settings.BREAKWATER_URL is https://HOST, https://HOST:PORT or the same",
    ),
    ({"settings": {"BREAKWATER_URL": "https://a.example.com/x"}}, "settings.BREAKWATER_URL is https://HOST"),
    (
        {"settings": {"BREAKWATER_TRACES_ENDPOINT": "http://a:b@c"}},
        "settings.BREAKWATER_TRACES_ENDPOINT is http://HOST:PORT",
    ),
    (
        {"settings": {"BREAKWATER_OUTBOUND_ALLOW": "10.0.0.0/8,here"}},
        'settings.BREAKWATER_OUTBOUND_ALLOW holds "here", which is no',
    ),
    *(
        (
            {"settings": {"BREAKWATER_OUTBOUND_ALLOW": f"192.0.2.7, {wrong}"}},
            f'settings.BREAKWATER_OUTBOUND_ALLOW holds " {wrong}", which is no',
        )
        for wrong in ("10.0.0.0/33", "256.0.0.0/8", "fd00::/129", "10.0.0/8")
    ),
    (
        {"settings": {"BREAKWATER_OUTBOUND_ALLOW": "10.0.0.0/8,172.16.0.0/12,0.0.0.0/0,192.0.2.128/24"}},
        'settings.BREAKWATER_OUTBOUND_ALLOW holds "192.0.2.128/24", an address within a network',
    ),
    ({"settings": {"BREAKWATER_URL": "https://a.example.com:65536"}}, "settings.BREAKWATER_URL is https://HOST"),
    (
        {"settings": {"BREAKWATER_TRACES_ENDPOINT": "http://a:65536"}},
        "settings.BREAKWATER_TRACES_ENDPOINT is http://HOST:PORT",
    ),
    (
        {"settings": {"BREAKWATER_TLS_NAMES": "a b"}},
        'settings.BREAKWATER_TLS_NAMES holds "a b", which is neither a name nor',
    ),
    ({"settings": {"BREAKWATER_TLS_NAMES": "a"}, "tls": {"existingSecret": "b"}}, "set one of the two"),
    ({"setting": {}}, "at '': additional properties 'setting' not allowed"),
    (
        {"service": {"type": "ExternalName"}},
        "'/service/type': value must be one of 'ClusterIP', 'NodePort', 'LoadBalancer'",
    ),
    ({"service": {"port": 70000}}, "'/service/port': maximum: got 70,000, want 65,535"),
    (
        {"service": {"nodePort": 30000}},
        "service.nodePort and service.externalTrafficPolicy go with the types NodePort",
    ),
    ({"service": {"externalTrafficPolicy": "Local"}}, "go with the types NodePort and LoadBalancer alone"),
    ({"service": {"loadBalancerSourceRanges": ["10.0.0.0/8"]}}, "goes with the type LoadBalancer alone"),
    (
        {"ingress": {"enabled": True}},
        "ingress.enabled needs ingress.host, the name under which clients reach the registry",
    ),
    ({"ingress": {"enabled": True, "host": "https://a"}}, "ingress.enabled needs ingress.host"),
    ({"ingress": {"enabled": "yes"}}, "'/ingress/enabled': got string, want boolean"),
    ({"storage": {"registry": {"size": "big"}}}, "'/storage/registry/size': 'big' does not match pattern"),
    ({"storage": {"log": {"size": "1Gi"}}}, "'/storage': additional properties 'log' not allowed"),
    ({"resources": {"token": {"limits": {"memory": "much"}}}}, "'/resources/token/limits/memory'"),
    ({"resources": {"log": {}}}, "'/resources': additional properties 'log' not allowed"),
    ({"images": {"prefix": "https://x/y"}}, "'/images/prefix': 'https://x/y' does not match pattern"),
    ({"images": {"prefix": "a b"}}, "'/images/prefix': 'a b' does not match pattern"),
    ({"images": {"proxy": {"repository": "nginx:1"}}}, "'/images/proxy/repository': 'nginx:1' does not match pattern"),
    ({"images": {"proxy": {"tag": "1.22@x"}}}, "'/images/proxy/tag': '1.22@x' does not match pattern"),
    (
        {"service": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/33"]}},
        "'/service/loadBalancerSourceRanges/0': '10.0.0.0/33' does not match pattern",
    ),
    ({"images": {"pullSecrets": "x"}}, "'/images/pullSecrets': got string, want array"),
    (
        {"images": {"pullPolicy": "Sometimes"}},
        "'/images/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'",
    ),
    ({"images": {"proxy": {"digest": "sha256:1"}}}, "'/images/proxy/digest': 'sha256:1' does not match pattern"),
    ({"images": {"proxy": {"repository": ""}}}, "'/images/proxy/repository': minLength: got 0, want 1"),
    ({"admin": {"password": "x"}}, "'/admin': additional properties 'password' not allowed"),
    ({"admin": {"existingSecret": "A_B"}}, "'/admin/existingSecret': 'A_B' does not match pattern"),
    ({"pod": {"terminationGracePeriodSeconds": 5}}, "'/pod/terminationGracePeriodSeconds': minimum: got 5, want 60"),
    (OUTSIDE | {"settings": {"BREAKWATER_DATABASE_HOST": "db"}}, "needs settings.BREAKWATER_DATABASE_OWNER: who owns"),
    (outside(BREAKWATER_DATABASE_HOST="db:5432"), "settings.BREAKWATER_DATABASE_HOST is the name or the address of a"),
    (outside(BREAKWATER_DATABASE_NAME=""), "'/settings/BREAKWATER_DATABASE_NAME': '' does not match pattern"),
    (outside(BREAKWATER_DATABASE_OWNER="a b"), "'/settings/BREAKWATER_DATABASE_OWNER': 'a b' does not match pattern"),
    (OUTSIDE | {"database": {}}, "needs database.existingSecret, a Secret with its owner's password"),
    *(
        (values, "settings.BREAKWATER_DATABASE_OWNER and database go with settings.BREAKWATER_DATABASE_HOST alone")
        for values in (
            {"settings": {"BREAKWATER_DATABASE_OWNER": "company"}},
            {"database": {"existingSecret": "owner"}},
            {"database": {"ca": {"configMap": "authorities"}}},
            {"database": {"ca": {"secret": "authorities"}}},
        )
    ),
    ({"database": {"password": "x"}}, "'/database': additional properties 'password' not allowed"),
    (OUTSIDE | {"bucket": {}}, "needs bucket.existingSecret, a Secret with its access key and secret key"),
    *(
        (values, "and bucket go with settings.BREAKWATER_S3_BUCKET alone")
        for values in (
            {"settings": {"BREAKWATER_S3_ENDPOINT": "https://storage"}},
            {"settings": {"BREAKWATER_S3_PREFIX": "one"}},
            {"bucket": {"existingSecret": "keys"}},
        )
    ),
    (outside(BREAKWATER_S3_ENDPOINT="https://a:b@c"), "settings.BREAKWATER_S3_ENDPOINT is http://HOST:PORT or https"),
    (outside(BREAKWATER_S3_BUCKET="Images"), "'/settings/BREAKWATER_S3_BUCKET': 'Images' does not match pattern"),
    (outside(BREAKWATER_AMQP_HOST="mq,a b"), 'BREAKWATER_AMQP_HOST holds "a b": a broker is HOST or HOST:PORT'),
    (outside(BREAKWATER_AMQP_HOST="mq:0"), 'BREAKWATER_AMQP_HOST holds "mq:0": a broker is HOST or HOST:PORT'),
    (outside(BREAKWATER_AMQP_VHOST=""), "'/settings/BREAKWATER_AMQP_VHOST': '' does not match pattern"),
    *(
        ({"broker": {"ca": {place: "authorities"}}}, "broker.ca goes with settings.BREAKWATER_AMQP_HOST alone")
        for place in ("configMap", "secret")
    ),
    (
        OUTSIDE | {"broker": {"ca": {"configMap": "a", "secret": "b"}}},
        "broker.ca.configMap and broker.ca.secret are two places for the same authorities",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("values", "sentence"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_refused_in_words_that_name_it(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(helm.RefusedError) as refusal:
        helm.render(values)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("nodes", ["mq", "mq1, mq2:5673", "[fd00::1]:5671,10.0.0.7", "mq1,"])
def test_nodes_are_written_as_the_parts_read_them(nodes: str) -> None:
    helm.render(outside(BREAKWATER_AMQP_HOST=nodes))
    assert broker_nodes(nodes, 5672)


@pytest.mark.parametrize("host", ["db", "db.example.com", "10.0.0.7", "fd00::1"])
def test_database_s_host_is_written_as_the_parts_read_it(host: str) -> None:
    helm.render(outside(BREAKWATER_DATABASE_HOST=host))
    assert Options(database_host=host).database_host == host
