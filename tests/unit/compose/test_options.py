"""Where a setting comes from, and how a wrong one is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from compose.local.options import CHECKOUT, Options, read_options, remember
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Options.model_fields:
        monkeypatch.delenv(f"BREAKWATER_{name.upper()}", raising=False)


def test_defaults_are_the_checkout_s_own_folder_on_loopback() -> None:
    options = Options()
    assert options.home == CHECKOUT / "var"
    assert (str(options.bind), options.port) == ("127.0.0.1", 8080)


def test_variable_wins_over_what_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(Options(home=tmp_path, port=9000, log_level="debug"))
    monkeypatch.setenv("BREAKWATER_HOME", str(tmp_path))
    monkeypatch.setenv("BREAKWATER_PORT", "9100")
    options = read_options()
    assert (options.port, options.log_level) == (9100, "debug")


def test_empty_variable_takes_a_remembered_setting_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(Options(home=tmp_path, url="https://registry.example"))
    monkeypatch.setenv("BREAKWATER_HOME", str(tmp_path))
    assert read_options().public_url == "https://registry.example"
    monkeypatch.setenv("BREAKWATER_URL", "")
    assert read_options().public_url == "http://127.0.0.1:8080"


def test_password_is_not_remembered(tmp_path: Path) -> None:
    remember(Options(home=tmp_path, admin_password="Secret123"))
    assert "Secret123" not in tmp_path.joinpath("settings.json").read_text()


def test_only_what_differs_from_the_defaults_is_remembered(tmp_path: Path) -> None:
    remember(Options(home=tmp_path, port=9000))
    assert json.loads(tmp_path.joinpath("settings.json").read_text()) == {"port": 9000}


def test_relative_paths_are_those_of_the_caller_s_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BREAKWATER_HOME", "here")
    monkeypatch.setenv("BREAKWATER_TLS_CERT", "cert.pem")
    monkeypatch.setenv("BREAKWATER_TLS_KEY", "key.pem")
    options = read_options()
    assert (options.home, options.tls_cert) == (tmp_path / "here", tmp_path / "cert.pem")


def test_ports_that_the_proxy_listens_on_are_two_at_most_and_different() -> None:
    assert Options(port=8443).open_ports == {"BREAKWATER_PORT": 8443}
    both = Options(port=8443, redirect_port=8081, tls_names="registry.test")
    assert both.open_ports == {"BREAKWATER_PORT": 8443, "BREAKWATER_REDIRECT_PORT": 8081}
    with pytest.raises(ValidationError, match="are two ports: give them different numbers"):
        Options(port=8443, redirect_port=8443, tls_names="registry.test")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "abc", "BREAKWATER_PORT is not valid: input should be a valid integer"),
        ("PORT", "70000", "BREAKWATER_PORT is not valid: input should be less than or equal to 65535"),
        ("BIND", "localhost", "BREAKWATER_BIND is not valid: "),
        ("URL", "not a url", "BREAKWATER_URL is not valid: "),
        ("URL", "ftp://registry", "BREAKWATER_URL is not valid: URL scheme should be 'http' or 'https'"),
        ("LOG_LEVEL", "loud", "BREAKWATER_LOG_LEVEL is not valid: "),
        ("TOKEN_LIFETIME_SECONDS", "5", "BREAKWATER_TOKEN_LIFETIME_SECONDS is not valid: "),
        ("OUTBOUND_ALLOW", "10.0.0.0/40", "BREAKWATER_OUTBOUND_ALLOW is not valid: "),
        ("LOG_FORWARD", "collector:514", "BREAKWATER_LOG_FORWARD is not valid: a collector is tcp://HOST:PORT"),
        ("LOG_FORWARD", "tcp://collector:70000", "BREAKWATER_LOG_FORWARD is not valid: a collector is tcp://HOST:PORT"),
        ("LOG_FORWARD", 'tcp://c" x="y:1', "BREAKWATER_LOG_FORWARD is not valid: a collector is tcp://HOST:PORT"),
        ("TRACES_ENDPOINT", "collector:4318", "BREAKWATER_TRACES_ENDPOINT is not valid: "),
        ("TRACES_ENDPOINT", "http://a:b@host:4318", "BREAKWATER_TRACES_ENDPOINT is not valid: a collector is http:"),
        ("TRACES_ENDPOINT", "http://host:4318?key=b", "BREAKWATER_TRACES_ENDPOINT is not valid: a collector is http:"),
        ("S3_BUCKET", "Images", "BREAKWATER_S3_BUCKET is not valid: a bucket is 3 to 63 small letters, digits, dots"),
        ("S3_BUCKET", "a/b/c", "BREAKWATER_S3_BUCKET is not valid: a bucket is 3 to 63 small letters, digits, dots"),
        ("S3_REGION", "eu west", "BREAKWATER_S3_REGION is not valid: a region is letters, digits and hyphens"),
        ("S3_PREFIX", "/one", "BREAKWATER_S3_PREFIX is not valid: a prefix is a path of letters, digits and . _ -"),
        ("S3_PREFIX", "a/../b", "BREAKWATER_S3_PREFIX is not valid: a prefix is a path of letters, digits and . _ -"),
        ("S3_PREFIX", "a\nb", "BREAKWATER_S3_PREFIX is not valid: a prefix is a path of letters, digits and . _ -"),
        ("S3_ENDPOINT", "storage:9000", "BREAKWATER_S3_ENDPOINT is not valid: "),
        ("S3_ENDPOINT", "http://a:b@host", "BREAKWATER_S3_ENDPOINT is not valid: a storage is http://HOST:PORT or "),
        ("S3_ACCESS_KEY", "two words", "BREAKWATER_S3_ACCESS_KEY is not valid: a key is one word of printable"),
        ("S3_SECRET_KEY", "a\nb", "BREAKWATER_S3_SECRET_KEY is not valid: a key is one word of printable characters"),
        ("DATABASE_HOST", "/run/postgresql", "BREAKWATER_DATABASE_HOST is not valid: "),
        ("DATABASE_HOST", "db.example,other", "BREAKWATER_DATABASE_HOST is not valid: "),
        ("DATABASE_PORT", "0", "BREAKWATER_DATABASE_PORT is not valid: "),
        ("DATABASE_NAME", "", "BREAKWATER_DATABASE_NAME is not valid: a name is 1 to 63 letters, digits and _ -"),
        ("DATABASE_NAME", 'a"b', "BREAKWATER_DATABASE_NAME is not valid: a name is 1 to 63 letters, digits and _ -"),
        ("DATABASE_OWNER", "a b", "BREAKWATER_DATABASE_OWNER is not valid: a name is 1 to 63 letters, digits and _ -"),
        ("AMQP_HOST", "amqps://broker", "BREAKWATER_AMQP_HOST is not valid: a broker is HOST or HOST:PORT, several"),
        ("AMQP_HOST", "one:70000", "BREAKWATER_AMQP_HOST is not valid: a broker is HOST or HOST:PORT, several with"),
        ("AMQP_HOST", "one;two", "BREAKWATER_AMQP_HOST is not valid: a broker is HOST or HOST:PORT, several with"),
        ("AMQP_VHOST", "", "BREAKWATER_AMQP_VHOST is not valid: it is letters, digits and . _ -"),
        ("AMQP_USERS", "a/b", "BREAKWATER_AMQP_USERS is not valid: it is letters, digits and . _ -"),
        ("WORKERS", "65", "BREAKWATER_WORKERS is not valid: "),
        ("TRACES_RATIO", "1.5", "BREAKWATER_TRACES_RATIO is not valid: "),
        ("REDIRECT_PORT", "70000", "BREAKWATER_REDIRECT_PORT is not valid: "),
        ("REDIRECT_PORT", "8081", "BREAKWATER_REDIRECT_PORT leads to TLS: set BREAKWATER_TLS_CERT or BREAKWATER_TLS_"),
        ("TLS_CERT", "/cert.pem", "BREAKWATER_TLS_CERT and BREAKWATER_TLS_KEY belong together: set both or none"),
    ],
)
def test_wrong_setting_is_refused_in_one_sentence_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv("BREAKWATER_HOME", str(tmp_path))
    monkeypatch.setenv(f"BREAKWATER_{name}", value)
    with pytest.raises(ConfigurationError) as refusal:
        read_options()
    assert refusal.value.sentence.startswith(sentence)
    assert "\n" not in refusal.value.sentence


def test_a_key_that_is_refused_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKWATER_HOME", str(tmp_path))
    monkeypatch.setenv("BREAKWATER_S3_SECRET_KEY", "hunter2 and more")
    with pytest.raises(ConfigurationError) as refusal:
        read_options()
    assert "hunter2" not in refusal.value.sentence


def test_keys_of_a_bucket_are_neither_remembered_nor_shown(tmp_path: Path) -> None:
    options = Options(home=tmp_path, s3_bucket="images", s3_access_key="AKIAhunter1", s3_secret_key="hunter2")
    remember(options)
    assert json.loads(tmp_path.joinpath("settings.json").read_text()) == {"s3_bucket": "images"}
    assert "hunter" not in f"{options!r} {options.model_dump(mode='json')}"


@pytest.mark.parametrize(
    ("workers", "cores", "processes"),
    [(0, None, 2), (0, 1, 2), (0, 2, 2), (0, 6, 6), (0, 64, 8), (1, 64, 1), (16, 2, 16)],
)
def test_processes_are_as_many_as_cores_within_reason_or_as_was_said(
    monkeypatch: pytest.MonkeyPatch, workers: int, cores: int | None, processes: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert Options(workers=workers).processes == processes


@pytest.mark.parametrize(
    ("downloads", "megabytes", "layers"), [(0, 2048, 341), (0, 100, 64), (0, 512 * 1024, 10_000), (300, 2048, 300)]
)
def test_so_many_layers_are_sent_at_once_as_there_is_room_for_or_as_was_said(
    downloads: int, megabytes: int, layers: int
) -> None:
    assert Options(downloads=downloads).layers_at_once(megabytes * 2**20) == layers


def test_unreadable_memory_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("settings.json").write_text("{")
    monkeypatch.setenv("BREAKWATER_HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"settings\.json cannot be read"):
        read_options()


def test_home_that_is_a_file_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("file").touch()
    monkeypatch.setenv("BREAKWATER_HOME", str(tmp_path / "file"))
    with pytest.raises(ConfigurationError, match="file is not a folder: set BREAKWATER_HOME"):
        read_options()


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),  # noqa: S104 - what is bound is the question
        ("::", "http://[::1]:8080"),
        ("10.0.0.5", "http://10.0.0.5:8080"),
    ],
)
def test_local_url_is_one_that_answers(bind: str, url: str) -> None:
    assert Options(bind=bind).local_url == url


def test_the_guide_names_every_setting() -> None:
    guide = (CHECKOUT / "docs" / "configuration.md").read_text(encoding="utf-8")
    table = guide.partition("## Of an instance")[2].partition("\n## ")[0]
    named = {name for name in Options.model_fields if f"`BREAKWATER_{name.upper()}`" in table}
    assert named == Options.model_fields.keys() - {"command"}
