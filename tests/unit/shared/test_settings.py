"""What a process is told by its environment: read as written, refused with the setting's name."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.settings import load_settings


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that says where the instance is, and nothing else of it."""
    for name in [name for name in os.environ if name.startswith("BREAKWATER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BREAKWATER_HOME", "/home/of/it")
    monkeypatch.setenv("BREAKWATER_RUN", "/run/of/it")
    return monkeypatch


def test_what_is_said_is_read_and_the_rest_has_its_default(told: pytest.MonkeyPatch) -> None:
    told.setenv("BREAKWATER_PORT", "443")
    told.setenv("BREAKWATER_TRACES_RATIO", "0.25")
    told.setenv("BREAKWATER_REGISTRY_SOCKET", "/there.sock")
    told.setenv("BREAKWATER_URL", "https://registry.example.test")
    told.setenv("BREAKWATER_OUTBOUND_ALLOW", " 10.0.0.0/8,, fd00::/8 ")
    settings = load_settings(part="audit")
    assert (settings.home, settings.run, settings.part) == (Path("/home/of/it"), Path("/run/of/it"), "audit")
    assert (settings.port, settings.traces_ratio, settings.registry) == (443, 0.25, Path("/there.sock"))
    assert settings.url == "https://registry.example.test"
    assert settings.outbound_allow == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert (settings.amqp_port, settings.log_level, settings.public_certificate) == (5672, "info", None)


def test_an_empty_variable_says_nothing(told: pytest.MonkeyPatch) -> None:
    for name in ("URL", "PORT", "OUTBOUND_ALLOW", "TRACES_ENDPOINT", "REGISTRY_SOCKET", "LOG_LEVEL"):
        told.setenv(f"BREAKWATER_{name}", "")
    assert load_settings() == load_settings(part="owner", port=8080, outbound_allow="")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"), ("PORT", "65536"), ("PORT", "http"), ("URL", "ftp://there"), ("URL", "https://"),
        ("OUTBOUND_ALLOW", "10.0.0.0/33"), ("LOG_LEVEL", "loud"), ("TRACES_RATIO", "1.5"),
        ("TRACES_ENDPOINT", "collector:4318"), ("TOKEN_LIFETIME_SECONDS", "59"), ("DISK_RESERVE_PERCENT", "-1"),
        ("HOME", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_its_name(told: pytest.MonkeyPatch, name: str, value: str) -> None:
    told.setenv(f"BREAKWATER_{name}", value)
    with pytest.raises(ConfigurationError, match=rf"^BREAKWATER_{name} is not valid: .+"):
        load_settings()


def test_settings_stay_as_they_are() -> None:
    settings = load_settings()
    with pytest.raises(AttributeError):
        settings.port = 1  # type: ignore[misc]  # that is the point
