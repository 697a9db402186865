"""Several servers of a directory, dead, hanging and changing ones; encryption, and whom to trust."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from ldap3.core.exceptions import LDAPException

from shared.auth.ldap.connection import Connection, binds, open_bound, searching
from shared.auth.ldap.search import find_user
from shared.auth.ldap.servers import Servers
from shared.auth.ldap.settings import LdapSettings
from shared.errors import Unavailable
from shared.outbound import Guard, Reach
from shared.secrets import Secret
from tests.servers import free_port
from tests.slapd import Directory, slapd

ALICE = "Al1ce-of-the-directory"
GUARD = Guard(Reach.PRIVATE, [ip_network("127.0.0.0/8"), ip_network("::1")])
NAME = "directory.example.test"
_KEY = ec.generate_private_key(ec.SECP256R1())


def _certificate(subject: str, *names: x509.GeneralName, issuer: str = "ca", ca: bool = False) -> x509.Certificate:
    """A certificate of the one key of this file, for a day."""
    now = datetime.now(UTC)
    name, by = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in (subject, issuer))
    built = x509.CertificateBuilder(by, name, _KEY.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    built = built.add_extension(x509.BasicConstraints(ca, None), critical=True)
    if names:
        built = built.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return built.sign(_KEY, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


@pytest.fixture(scope="module")
def authority() -> str:
    return _pem(_certificate("ca", ca=True))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    """Its certificate is for 127.0.0.1 and one name, and for nothing else."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    key = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    names = x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName(NAME)
    _write(path, _pem(_certificate("server", *names)) + key)
    with slapd({"alice": ALICE}, {"ops": ["alice"]}, certificate=path) as directory:
        yield directory


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o644)
    for folder in list(path.parents)[:3]:
        folder.chmod(0o755)


def _settings(directory: Directory, *urls: str, **more: object) -> LdapSettings:
    plain = LdapSettings(
        urls=urls or (directory.url,),
        search_dn=directory.reader,
        search_password=Secret(directory.reader_password),
        base_dn=directory.people_base,
        group_base_dn=directory.groups_base,
        uid="uid",
        timeout=1,
    )
    return replace(plain, **more)  # type: ignore[arg-type] # of whatever type the field is


def _name(settings: LdapSettings) -> Callable[[Connection, str], tuple[str, str]]:
    """Finds alice, and tells at which server."""

    def look(connection: Connection, url: str) -> tuple[str, str]:
        found = find_user(connection, settings, "alice")
        assert found
        return found.name, url

    return look


@contextmanager
def _silent() -> Iterator[tuple[str, list[float]]]:
    """A server that takes connections and never says a word, and when it took them."""
    taken: list[float] = []
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listening:

        def take() -> None:
            held = []
            while True:
                try:
                    held.append(listening.accept()[0])
                except OSError:
                    break
                taken.append(time.monotonic())
            for each in held:
                each.close()

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield f"ldap://127.0.0.1:{listening.getsockname()[1]}", taken
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def test_an_encrypted_directory_is_asked_when_its_certificate_is_trusted(
    directory: Directory, authority: str
) -> None:
    encrypted = _settings(directory, directory.tls_url, ca_certificate=authority)
    upgraded = _settings(directory, start_tls=True, ca_certificate=authority)
    for settings in (encrypted, upgraded):
        with searching(GUARD, settings, settings.urls[0]) as connection:
            assert connection.socket.version() in {"TLSv1.2", "TLSv1.3"}
            assert _name(settings)(connection, "")[0] == "alice"
        connection = open_bound(GUARD, settings, settings.urls[0], directory.person("alice"), ALICE)
        assert connection is not None
        connection.unbind()


@pytest.mark.parametrize("start_tls", [False, True], ids=["ldaps", "StartTLS"])
@pytest.mark.parametrize(
    ("trusted", "host"),
    [("", "127.0.0.1"), ("another", "127.0.0.1"), ("its own", "localhost")],
    ids=["the machine's authorities", "another authority", "another name"],
)
def test_a_server_that_cannot_be_trusted_never_sees_a_password(
    directory: Directory, authority: str, trusted: str, host: str, *, start_tls: bool
) -> None:
    authorities = {"": "", "another": _pem(_certificate("other", issuer="other", ca=True)), "its own": authority}
    url = (directory.url if start_tls else directory.tls_url).replace("127.0.0.1", host)
    settings = _settings(directory, url, start_tls=start_tls, ca_certificate=authorities[trusted])
    with pytest.raises(Unavailable) as refused:
        Servers(GUARD, settings).ask(_name(settings))
    assert str(refused.value.__cause__).startswith("its certificate is not trusted: ")
    unchecked = Servers(GUARD, replace(settings, verify_cert=False))
    assert unchecked.ask(_name(settings))[0] == "alice"
    unchecked.close()


def test_a_server_without_encryption_is_not_asked_in_plain_text_instead(authority: str) -> None:
    with slapd({"alice": ALICE}) as plain:
        settings = _settings(plain, start_tls=True, ca_certificate=authority)
        with pytest.raises(Unavailable):
            Servers(GUARD, settings).ask(_name(settings))


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_a_silent_server_costs_its_time_out_once_and_is_left_alone_then(directory: Directory, scheme: str) -> None:
    with _silent() as (url, taken):
        settings = _settings(directory, url.replace("ldap", scheme, 1), directory.url)
        servers = Servers(GUARD, settings)
        begun = time.monotonic()
        assert servers.ask(_name(settings)) == ("alice", directory.url)
        assert 0.9 < time.monotonic() - begun < 3
        begun = time.monotonic()
        assert [servers.ask(_name(settings))[1] for _ in range(20)] == [directory.url] * 20
        assert time.monotonic() - begun < 1
        assert len(taken) == 1
        servers.close()


def test_a_dead_server_and_a_silent_one_leave_the_third(directory: Directory) -> None:
    with _silent() as (silent, _):
        settings = _settings(directory, f"ldap://127.0.0.1:{free_port()}", silent, "ldap://[broken", directory.url)
        servers = Servers(GUARD, settings)
        assert servers.ask(_name(settings)) == ("alice", directory.url)
        servers.close()


def test_a_failed_server_is_found_out_by_one_caller_at_a_time_and_asked_again_once_it_is_back(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.auth.ldap.servers.FIRST_REST_SECONDS", 0.3)
    port = free_port()
    settings = _settings(directory, f"ldap://127.0.0.1:{port}", timeout=2)
    servers = Servers(GUARD, settings)
    for _ in range(3):
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            servers.ask(_name(settings))
        assert time.monotonic() - begun < 0.3
    time.sleep(0.35)
    with socket.create_server(("127.0.0.1", port)) as silent:
        waiting = [threading.Thread(target=_swallow, args=(servers, settings)) for _ in range(4)]
        for each in waiting:
            each.start()
        for each in waiting:
            each.join(10)
        silent.settimeout(0.2)
        silent.accept()[0].close()
        with pytest.raises(TimeoutError):
            silent.accept()
    time.sleep(0.7)
    with _relay(port, directory.port) as relay:
        assert servers.ask(_name(settings)) == ("alice", settings.urls[0])
        assert relay
    servers.close()


def _swallow(servers: Servers, settings: LdapSettings) -> None:
    try:
        servers.ask(_name(settings))
    except Unavailable:
        return


@contextmanager
def _relay(port: int, target: int) -> Iterator[list[socket.socket]]:
    """Hands one port's bytes to another; the connections so far can be cut."""
    pairs: list[socket.socket] = []
    listening = socket.create_server(("127.0.0.1", port))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for each in (source, sink):
            each.close()

    def take() -> None:
        while True:
            try:
                near = listening.accept()[0]
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", target))
            pairs.extend((near, far))
            for ends in ((near, far), (far, near)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield pairs
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)
        _cut(pairs)


def _cut(pairs: list[socket.socket]) -> None:
    for each in pairs:
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue


def test_connections_of_the_search_account_are_kept_and_no_more_than_there_are_callers(directory: Directory) -> None:
    port = free_port()
    with _relay(port, directory.port) as pairs:
        settings = _settings(directory, f"ldap://127.0.0.1:{port}")
        servers = Servers(GUARD, settings)
        for _ in range(30):
            servers.ask(_name(settings))
        assert len(pairs) == 2  # both ends of one
        threads = [threading.Thread(target=_swallow, args=(servers, settings)) for _ in range(3)]
        for _ in range(5):
            for each in threads:
                each.start()
            for each in threads:
                each.join(10)
            threads = [threading.Thread(target=_swallow, args=(servers, settings)) for _ in range(3)]
        assert len(pairs) <= 2 * 3
        servers.close()


def test_a_kept_connection_that_was_cut_is_made_anew_without_a_word(directory: Directory) -> None:
    port = free_port()
    with _relay(port, directory.port) as pairs:
        settings = _settings(directory, f"ldap://127.0.0.1:{port}")
        servers = Servers(GUARD, settings)
        servers.ask(_name(settings))
        _cut(pairs)
        time.sleep(0.2)
        assert servers.ask(_name(settings))[0] == "alice"
        assert len(pairs) == 4
        servers.close()


class Names:
    """A resolver that gives its answers in turn, the last one for ever, and counts."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, _host: str, port: int, *_more: object) -> list[tuple[Any, ...]]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, port))]

    def guard(self) -> Guard:
        """Lets connections to 127.0.0.1 alone pass."""
        return Guard(Reach.PRIVATE, [ip_network("127.0.0.1")], resolve=self)


@pytest.mark.parametrize("start_tls", [False, True], ids=["ldaps", "StartTLS"])
@pytest.mark.parametrize("name", [NAME, "another.example.test"])
def test_a_certificate_is_checked_against_the_name_and_not_the_address(
    directory: Directory, authority: str, name: str, *, start_tls: bool
) -> None:
    names = Names("127.0.0.1")
    url = (directory.url if start_tls else directory.tls_url).replace("127.0.0.1", name)
    settings = _settings(directory, url, start_tls=start_tls, ca_certificate=authority)
    servers = Servers(names.guard(), settings)
    if name == NAME:
        assert servers.ask(_name(settings)) == ("alice", url)
    else:
        with pytest.raises(Unavailable) as refused:
            servers.ask(_name(settings))
        assert str(refused.value.__cause__).startswith("its certificate is not trusted: ")
    assert names.asked == 1
    servers.close()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0", "localhost", "[::ffff:127.0.0.1]", "[::1]", "169.254.169.254"]
)
@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_a_server_on_a_closed_address_is_not_connected_to(scheme: str, host: str) -> None:
    with _silent() as (url, taken):
        closed = url.replace("ldap://127.0.0.1", f"{scheme}://{host}")
        settings = LdapSettings(urls=(closed,), search_dn="cn=x", search_password=Secret("x"))
        servers = Servers(Guard(Reach.PRIVATE), settings)
        with pytest.raises(Unavailable) as refused:
            servers.ask(lambda _connection, _url: None)
        time.sleep(0.05)
        assert taken == []
    assert str(refused.value.__cause__) == (
        f"requests may not go to the address of {host.strip('[]')} unless BREAKWATER_OUTBOUND_ALLOW names its network"
    )


def test_after_a_refused_server_the_next_one_is_asked(directory: Directory) -> None:
    guard = Guard(Reach.PRIVATE, [ip_network("127.0.0.1")])
    settings = _settings(directory, f"ldap://127.0.0.2:{directory.port}", "ldap://169.254.169.254", directory.url)
    servers = Servers(guard, settings)
    assert servers.ask(_name(settings)) == ("alice", directory.url)
    servers.close()


def test_each_connection_is_judged_and_goes_to_the_judged_address(directory: Directory) -> None:
    """DNS rebinding: whatever a name stands for later, no password goes there."""
    names = Names("127.0.0.1", "127.0.0.2")
    guard, url = names.guard(), f"ldap://{NAME}:{directory.port}"
    settings = _settings(directory, url)
    with searching(guard, settings, url) as connection:
        assert connection.socket.getpeername() == ("127.0.0.1", directory.port)
        assert _name(settings)(connection, url)[0] == "alice"
        assert names.asked == 1
        with pytest.raises(LDAPException, match="BREAKWATER_OUTBOUND_ALLOW"):
            binds(guard, settings, url, directory.person("alice"), ALICE)
    assert names.asked == 2


@pytest.mark.parametrize("host", ["a" * 64, "a..b", "a\0b"], ids=["a label too long", "an empty label", "a NUL"])
def test_what_is_no_name_of_a_host_is_a_server_that_fails(directory: Directory, host: str) -> None:
    settings = _settings(directory, f"ldap://{host}", directory.url)
    servers = Servers(GUARD, settings)
    assert servers.ask(_name(settings)) == ("alice", directory.url)
    servers.close()


def test_no_bind_is_sent_without_a_password(directory: Directory) -> None:
    with _silent() as (url, taken):
        settings = _settings(directory, url)
        assert open_bound(GUARD, settings, url, directory.person("alice"), "") is None
        nameless = replace(settings, search_dn="")
        secretless = replace(settings, search_password=Secret(""))
        for without in (secretless, nameless, replace(secretless, search_dn="")):
            with pytest.raises(Unavailable):
                Servers(GUARD, without).ask(_name(without))
        time.sleep(0.2)
        assert taken == []
