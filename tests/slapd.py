"""A real slapd for tests: on a free loopback port, with a few people, stopped again."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.servers import free_port, short_folder, stop, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BASE: Final = "dc=example,dc=test"
READER: Final = f"cn=reader,{BASE}"
READER_PASSWORD: Final = "reader-Passw0rd"
_SCHEMAS: Final = "/etc/ldap/schema"


@dataclass(frozen=True, kw_only=True)
class Directory:
    """Where it answers, and who may search it; people are `uid=<name>,ou=people,<base>`."""

    port: int
    people: Mapping[str, str] = field(repr=False)
    base: str = BASE
    people_base: str = f"ou=people,{BASE}"
    reader: str = READER
    reader_password: str = field(default=READER_PASSWORD, repr=False)

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    def remove(self, name: str) -> None:
        """Takes a person out of the directory."""
        subprocess.run(
            ["ldapdelete", "-x", "-H", self.url, "-D", self.reader, "-w", self.reader_password,
             f"uid={name},{self.people_base}"],
            check=True, capture_output=True, timeout=20,
        )


def _entries(people: Mapping[str, str]) -> str:
    entries = [
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n",
        f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n",
    ]
    entries += [
        f"dn: uid={name},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name.title()}\n"
        f"sn: {name.title()}\nmail: {name}@example.test\nuserPassword: {password}\n"
        for name, password in people.items()
    ]
    return "\n".join(entries)


@contextmanager
def slapd(people: Mapping[str, str]) -> Iterator[Directory]:
    """A directory of the people given as name and password."""
    with short_folder() as folder:
        (folder / "data").mkdir()
        configuration = folder / "slapd.conf"
        configuration.write_text(
            "\n".join([
                *(f"include {_SCHEMAS}/{name}.schema" for name in ("core", "cosine", "inetorgperson")),
                f"pidfile {folder}/slapd.pid",
                "modulepath /usr/lib/ldap",
                "moduleload back_mdb",
                "database mdb",
                f'suffix "{BASE}"',
                f'rootdn "{READER}"',
                f"rootpw {READER_PASSWORD}",
                f"directory {folder}/data",
                "maxsize 10485760",
                "access to attrs=userPassword by anonymous auth by * none",
                "access to * by users read by * none",
            ]) + "\n",
        )
        subprocess.run(
            ["/usr/sbin/slapadd", "-q", "-f", str(configuration)], input=_entries(people), text=True, check=True,
            capture_output=True, timeout=30,
        )
        port = free_port()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["/usr/sbin/slapd", "-h", f"ldap://127.0.0.1:{port}", "-f", str(configuration), "-d", "0"],
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )
        try:
            wait_for(lambda: _listens(port), seconds=20, what="slapd answers")
            yield Directory(port=port, people=people)
        finally:
            stop(process)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
