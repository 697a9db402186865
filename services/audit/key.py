"""The chain's key: a file of the audit service alone, made once and never replaced."""

import secrets
from pathlib import Path
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.audit.domain.chain import ChainKey
from services.audit.errors import ChainKeyMissing
from services.audit.tables import head
from shared.errors import ConfigurationError
from shared.secrets import Secret, make_secret
from shared.settings import Settings

KEY_FILE: Final = "chain-key"


def ensure_chain_key(folder: Path) -> bool:
    """Make the key where there is none; says whether it did. For the set-up, before the first record.

    Of several processes that begin at once one makes it, and it is everybody's.
    """
    path = folder / KEY_FILE
    return not path.exists() and make_secret(path, secrets.token_hex(32))


def chain_key(settings: Settings) -> ChainKey:
    """The key. Raises ConfigurationError where the file cannot be read."""
    return ChainKey(settings.secret(KEY_FILE))


def chain_key_at_start(session: Session, settings: Settings) -> ChainKey:
    """The key, made now where the record is still empty.

    Raises ChainKeyMissing where it is gone and the record is not empty, or cannot be read.
    """
    folder = settings.secrets / settings.part
    file = folder / KEY_FILE
    if not file.exists():
        # another process may have made it since, and recorded with it
        if session.scalar(select(head.c.sequence)) and not file.exists():
            raise ChainKeyMissing(f"{file} is missing, and the audit record was made with it")
        ensure_chain_key(folder)
    try:
        return ChainKey(Secret.read(file))
    except ConfigurationError as error:
        raise ChainKeyMissing(error.sentence) from error
