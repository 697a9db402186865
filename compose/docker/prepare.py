"""`python -m compose.docker.prepare`: runs once before all others and makes what they need, each its own secrets."""

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from compose.docker import cluster
from compose.docker.handing import ALONE, hand_out
from compose.docker.pods import agree
from compose.docker.scripts import lay_scripts
from compose.docker.site import HOME, Surroundings, container_site
from compose.local.accounts import Account, Accounts, accounts
from compose.local.broker import keep_authorities
from compose.local.bucket import bucket_of, keep_keys
from compose.local.certificate import refuse_bad_certificate
from compose.local.configuration import configure
from compose.local.credentials import prepare_secrets, settle_owners
from compose.local.folders import keep_certificate, make_folders
from compose.local.layout import Layout
from compose.local.outside import keep_owner, refuse_left_behind
from compose.local.site import Site
from compose.local.state import exclusively
from services.token import keys
from shared.errors import BreakwaterError, ConfigurationError
from shared.lines import tell
from shared.secrets import Secret

GIVEN = Path("/given")
"""Where an operator's own certificate is mounted."""
GIVEN_FOR_DATABASE = Path("/given-for-database")
"""Where the authorities of a database outside are mounted."""
GIVEN_FOR_BROKER = Path("/given-for-broker")
"""Where those of a broker outside are mounted."""


class Folders(BaseSettings):
    """The folders of the host that are mounted here, by their names there. The engine makes one that is not there."""

    model_config = SettingsConfigDict(env_prefix="BREAKWATER_", frozen=True, extra="ignore")

    tls_folder: str = ""
    database_ca_folder: str = ""
    amqp_ca_folder: str = ""


def prepare() -> None:
    """Make what is missing; a second run changes nothing. Raises Busy, ConfigurationError, Conflict."""
    folders = Folders()
    site = container_site(
        **_given_certificate(folders.tls_folder),
        database_ca=_given(GIVEN_FOR_DATABASE / "ca.crt", "BREAKWATER_DATABASE_CA_FOLDER", folders.database_ca_folder),
        amqp_ca=_given(GIVEN_FOR_BROKER / "ca.crt", "BREAKWATER_AMQP_CA_FOLDER", folders.amqp_ca_folder),
    )
    # several pods share their secrets, and nothing is restored into a pod
    with exclusively(site.layout.secrets if site.pod else site.layout.restored_dump.parent, ALONE):
        if site.layout.restoring_flag.exists():
            raise ConfigurationError(
                "a restore into these volumes did not end: run it again, or docker compose down --volumes removes them"
            )
        _prepare(site)


def _prepare(site: Site) -> None:
    layout, options, users = site.layout, site.options, accounts()
    _make_folders(site, users)
    if site.pod:
        agree(layout, Surroundings())
    _keep_instance_id(layout)
    keep_keys(layout, bucket_of(layout, options))
    refuse_left_behind(layout, options)
    keep_owner(site)
    keep_authorities(site)
    password = options.admin_password
    prepare_secrets(layout, users, admin_password=Secret(password.get_secret_value()) if password else None)
    shutil.copyfile(layout.instance_id, _kept_instance_id(layout))
    keys.ensure(layout.secrets / "token" / "signing", layout.secrets / "registry" / "bundle.pem", datetime.now(UTC))
    settle_owners(layout, users)
    keep_certificate(layout, options, users, datetime.now(UTC))
    configure(site, users)
    lay_scripts(site)
    cluster.prepare(site, users)
    hand_out(layout, users)


def _given_certificate(folder: str) -> dict[str, Path]:
    chain = _given(GIVEN / "tls.crt", "BREAKWATER_TLS_FOLDER", folder)
    if chain is None:
        return {}
    key = _given(GIVEN / "tls.key", "BREAKWATER_TLS_FOLDER", folder) or GIVEN / "tls.key"
    # without a folder they are out of a Secret, by the same names
    refuse_bad_certificate(chain, key, named=f"tls.crt and tls.key{f' in {folder}' if folder else ''}")
    return {"tls_cert": chain, "tls_key": key}


def _given(file: Path, variable: str, folder: str) -> Path | None:
    """None where no folder is named. To go on without what is in one would take TLS away, or the check of a name."""
    if file.exists():
        return file
    if folder:
        raise ConfigurationError(
            f"{variable} is not valid: there is no {file.name} in {folder}, or it is a link that leads out of it"
        )
    return None


def _make_folders(site: Site, users: Accounts) -> None:
    make_folders(site.layout, users)
    # the database makes its socket here in the group that all parts share; in a pod with one outside it is no volume
    site.database_socket.mkdir(exist_ok=True)
    users.give(site.database_socket, Account.OPERATOR, 0o3770, group=Account.PARTS)
    # nobody mounts it where the lines go elsewhere, as in a pod
    site.log_socket.parent.mkdir(exist_ok=True)
    users.give(site.log_socket.parent, Account.DATA, 0o750)


def _kept_instance_id(layout: Layout) -> Path:
    return layout.conf / layout.instance_id.name


def _keep_instance_id(layout: Layout) -> None:
    """The home itself is no volume, and what lies in it is gone with this container."""
    kept = _kept_instance_id(layout)
    if kept.exists():
        shutil.copyfile(kept, layout.instance_id)


if __name__ == "__main__":
    try:
        prepare()
    except BreakwaterError as error:
        # no engine sends it there: this runs before the first log does
        tell(HOME / "lines" / "log.sock", "prepare", error.sentence)
        sys.exit(error.sentence)
