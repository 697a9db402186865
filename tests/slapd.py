"""A real slapd for tests: on free loopback ports, with people and groups of them, stopped again."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.servers import free_port, short_folder, stop, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

BASE: Final = "dc=example,dc=test"
READER: Final = f"cn=reader,{BASE}"
READER_PASSWORD: Final = "reader-Passw0rd"
LOOPBACK: Final = "127.0.0.0/8"
"""What an instance has to be allowed, to reach a directory of these."""
_SCHEMAS: Final = "/etc/ldap/schema"


@dataclass(frozen=True, kw_only=True)
class Directory:
    """Where it answers, and who may search it.

    People are `uid=<name>,ou=people,<base>`, groups `cn=<name>,ou=groups,<base>`.
    """

    port: int
    tls_port: int
    people: Mapping[str, str] = field(repr=False)
    base: str = BASE
    people_base: str = f"ou=people,{BASE}"
    groups_base: str = f"ou=groups,{BASE}"
    reader: str = READER
    reader_password: str = field(default=READER_PASSWORD, repr=False)

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls_port}"

    def person(self, name: str) -> str:
        """The distinguished name of a person."""
        return f"uid={name},{self.people_base}"

    def group(self, name: str) -> str:
        """The distinguished name of a group."""
        return f"cn={name},{self.groups_base}"

    def remove(self, name: str) -> None:
        """Takes a person out of the directory."""
        self._run("ldapdelete", self.person(name))

    def put_into(self, group: str, member: str) -> None:
        """Makes a distinguished name a member of a group."""
        self._change(group, f"add: member\nmember: {member}\n")

    def take_out_of(self, group: str, member: str) -> None:
        """Ends a membership."""
        self._change(group, f"delete: member\nmember: {member}\n")

    def add(self, entries: str) -> None:
        """Adds entries in LDIF."""
        self._run("ldapadd", said=entries)

    def _change(self, group: str, change: str) -> None:
        self._run("ldapmodify", said=f"dn: {self.group(group)}\nchangetype: modify\n{change}")

    def _run(self, command: str, *more: str, said: str = "") -> None:
        subprocess.run(
            [command, "-x", "-H", self.url, "-D", self.reader, "-w", self.reader_password, *more],
            input=said, text=True, check=True, capture_output=True, timeout=60,
        )


def _entries(people: Mapping[str, str]) -> str:
    entries = [
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n",
        f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n",
        f"dn: ou=groups,{BASE}\nobjectClass: organizationalUnit\nou: groups\n",
    ]
    entries += [
        f"dn: uid={name},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name.title()}\n"
        f"sn: {name.title()}\nmail: {name}@example.test\nuserPassword: {password}\n"
        for name, password in people.items()
    ]
    return "\n".join(entries)


def _groups(directory: Directory, groups: Mapping[str, Sequence[str]]) -> str:
    """Groups of people, and of other groups where a member's name begins with `@`."""
    names = {name: [directory.group(each[1:]) if each[0] == "@" else directory.person(each) for each in members]
             for name, members in groups.items()}
    return "\n".join(
        f"dn: {directory.group(name)}\nobjectClass: groupOfNames\ncn: {name}\n"
        + "".join(f"member: {member}\n" for member in members)
        for name, members in names.items()
    )


@contextmanager
def slapd(
    people: Mapping[str, str],
    groups: Mapping[str, Sequence[str]] | None = None,
    *,
    memberof: bool = False,
    certificate: Path | None = None,
) -> Iterator[Directory]:
    """A directory of the people given as name and password.

    A member of a group whose name begins with `@` is another group. With `memberof` the entries of people name their
    groups. `certificate` is a PEM file that holds the key too.
    """
    with short_folder() as folder:
        (folder / "data").mkdir()
        configuration = folder / "slapd.conf"
        configuration.write_text(
            "\n".join([
                *(f"include {_SCHEMAS}/{name}.schema" for name in ("core", "cosine", "inetorgperson")),
                f"pidfile {folder}/slapd.pid",
                "modulepath /usr/lib/ldap",
                "moduleload back_mdb",
                *(["moduleload memberof"] if memberof else []),
                *([f"TLSCertificateFile {certificate}", f"TLSCertificateKeyFile {certificate}"] if certificate else []),
                "database mdb",
                f'suffix "{BASE}"',
                f'rootdn "{READER}"',
                f"rootpw {READER_PASSWORD}",
                f"directory {folder}/data",
                "maxsize 20971520",
                "index objectClass,uid,cn,member eq",
                *(["overlay memberof"] if memberof else []),
                "access to attrs=userPassword by anonymous auth by * none",
                "access to * by users read by * none",
            ]) + "\n",
        )
        subprocess.run(
            ["/usr/sbin/slapadd", "-q", "-f", str(configuration)], input=_entries(people), text=True, check=True,
            capture_output=True, timeout=30,
        )
        port, tls_port = free_port(), free_port()
        urls = f"ldap://127.0.0.1:{port}" + (f" ldaps://127.0.0.1:{tls_port}" if certificate else "")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["/usr/sbin/slapd", "-h", urls, "-f", str(configuration), "-d", "0"],
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )
        try:
            wait_for(lambda: _listens(port), seconds=20, what="slapd answers")
            directory = Directory(port=port, tls_port=tls_port, people=people)
            if groups:
                directory.add(_groups(directory, groups))
            yield directory
        finally:
            stop(process)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
