"""The way in for a name with a password: memory first, then the guessing limit, then whoever can judge it.

The token mount and the API share it; both build it by `build_login`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Engine

from shared import directory, logging
from shared.auth.accounts import DatabaseUsers, RobotAccounts
from shared.auth.authenticate import (
    Accepted,
    Chain,
    Client,
    Credential,
    Reason,
    Rejected,
    is_malformed,
)
from shared.auth.guard import PER_ACCOUNT, GuessGuard, account_key
from shared.auth.ldap.directory import LdapDirectory
from shared.auth.ldap.users import LdapUsers
from shared.auth.memory import CredentialMemory, Remembered
from shared.auth.principals import Principal, PrincipalKind
from shared.auth.record import LoginRecord
from shared.directory import Lender
from shared.errors import Unavailable
from shared.outbound import Guard, Reach
from shared.secrets import Sealer
from shared.settings import Settings

_WAIT_SECONDS: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Login:
    """Everything that decides over a login in one process."""

    lend: Lender
    chain: Chain
    memory: CredentialMemory
    guard: GuessGuard
    record: LoginRecord
    ldap: LdapDirectory

    def authenticate(self, credential: Credential, client: Client, now: datetime) -> Accepted | Rejected:
        """Judge a credential: by memory where it was right not long ago and the account is still the same.

        Blocks while it asks and compares. Raises Unavailable.
        """
        remembered = self.memory.recall(self.memory.key(credential), now)
        if remembered is not None:
            principal = self._present(remembered, now)
            if principal is not None:
                return Accepted(principal=principal, method=remembered.method)
        return self.verify(credential, client, now)

    def verify(self, credential: Credential, client: Client, now: datetime) -> Accepted | Rejected:
        """Judge a credential anew, within the guessing limit. Blocks while it asks and compares. Raises Unavailable."""
        verdict = self._judge(credential, client, now)
        if isinstance(verdict, Rejected) and verdict.reason is not Reason.GUESSING:
            logging.get().info(
                "login.rejected",
                account=credential.name[:255],
                reason=verdict.reason.value,
                address=client.address,
                request_id=client.request_id,
            )
        return verdict

    def _judge(self, credential: Credential, client: Client, now: datetime) -> Accepted | Rejected:
        account = account_key(credential.name)
        if is_malformed(credential.name, credential.password.reveal()):
            self.record.refused(account, client, now)
            return Rejected(reason=Reason.MALFORMED)
        key = self.memory.key(credential)
        if self.memory.is_proven(key):
            verdict = self.chain.authenticate(credential, now)
        else:
            wait = self._pay(account, client, now)
            if wait:
                self.record.refused(account, client, now)
                return Rejected(reason=Reason.GUESSING, retry_after=wait)
            verdict = self._judge_paid(credential, account, client, now)
        if isinstance(verdict, Accepted):
            self.memory.remember(key, verdict, now)
        else:
            note = self.record.refused if self.memory.is_refuted(key) else self.record.wrong
            self.memory.refute(key)
            note(account, client, now)
        return verdict

    def _pay(self, account: str, client: Client, now: datetime) -> float:
        """Pay for an attempt; 0, or the seconds to wait where there have been too many, to whichever process."""
        wait = self.guard.pay(account, client.address, now.timestamp())
        if wait:
            return wait
        try:
            recent = self.record.recent(account, client.address, now)
        except Unavailable:
            self.guard.refund(account, client.address, now.timestamp())
            raise
        return _WAIT_SECONDS if recent >= PER_ACCOUNT else 0

    def _judge_paid(self, credential: Credential, account: str, client: Client, now: datetime) -> Accepted | Rejected:
        """The attempt is refunded unless the credential turns out to be wrong.

        One that was wrong before tells nobody anything new: whoever goes on with an old secret must not use up what
        the new one has at his address. To compare it has its price all the same, and the address pays.
        """
        verdict: Accepted | Rejected | None = None
        try:
            verdict = self.chain.authenticate(credential, now)
        finally:
            if isinstance(verdict, Rejected):
                self.guard.wrong(client.address, now.timestamp())
            if not isinstance(verdict, Rejected) or self.memory.is_refuted(self.memory.key(credential)):
                self.guard.refund(account, client.address, now.timestamp())
        return verdict

    def _present(self, remembered: Remembered, now: datetime) -> Principal | None:
        """The account as it is now; None where it may not act or its credential is another."""
        with self.lend() as connection:
            if remembered.kind is PrincipalKind.ROBOT:
                [found] = directory.robots_with_rights(connection, [(remembered.id, [])])
                if found is None:
                    return None
                robot = found.account
                principal = robot.principal(remembered.name.removesuffix(robot.name))
                usable = robot.is_active(now)
            else:
                user = directory.find_user_by_id(connection, remembered.id)
                if user is None:
                    return None
                principal, usable = user.principal, not user.disabled
        return principal if usable and principal.credential_version == remembered.credential_version else None


def build_login(settings: Settings, engine: Engine, *, directory_seats: int = 3) -> Login:
    """Put a process's login together; nothing is asked yet. Raises ConfigurationError.

    `directory_seats` must leave threads of the process free for everybody else while a directory is silent.
    """
    lend = directory.lender(engine)
    sealer = Sealer.read(settings.secrets / "config-key")
    ldap = LdapDirectory(lend, sealer, Guard(Reach.PRIVATE, settings.outbound_allow), seats=directory_seats)
    return Login(
        lend=lend,
        chain=Chain([RobotAccounts(lend), DatabaseUsers(lend), LdapUsers(ldap, lend, settings.instance_id)]),
        memory=CredentialMemory(),
        guard=GuessGuard(),
        record=LoginRecord(lend, settings.instance_id),
        ldap=ldap,
    )
