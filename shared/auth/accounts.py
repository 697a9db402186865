"""The accounts that Breakwater keeps itself: users with a password of the database, and robot accounts."""

from dataclasses import dataclass
from datetime import datetime

from shared import directory
from shared.auth.authenticate import Accepted, Credential, Method, NotMine, Reason, Rejected, Verdict
from shared.auth.passwords import verify_password
from shared.directory import ROBOT_PREFIX, Connection, Lender

PREFIX_KEY = "robot_name_prefix"


@dataclass(frozen=True, slots=True)
class DatabaseUsers:
    """Users whose password hash is in the database; those of a directory are not its own."""

    lend: Lender

    def authenticate(self, credential: Credential, now: datetime) -> Verdict:  # noqa: ARG002 - no user has an end
        """Judge a credential; a disabled account costs the time of any other."""
        with self.lend() as connection:
            user = directory.find_user(connection, credential.name)
        if user is None or user.source != "database":
            return NotMine()
        if not verify_password(user.password_hash, credential.password.reveal()):
            return Rejected(reason=Reason.WRONG_PASSWORD)
        if user.disabled:
            return Rejected(reason=Reason.DISABLED)
        return Accepted(principal=user.principal, method=Method.DATABASE)


@dataclass(frozen=True, slots=True)
class RobotAccounts:
    """Robot accounts, told by the prefix of their name."""

    lend: Lender

    def authenticate(self, credential: Credential, now: datetime) -> Verdict:
        """Judge a secret; one that fits a disabled or expired robot account is refused all the same."""
        with self.lend() as connection:
            prefix = robot_prefix(connection)
            if not credential.name.startswith(prefix):
                return NotMine()
            robot = directory.find_robot(connection, credential.name.removeprefix(prefix))
        if robot is None:
            return NotMine()
        if not verify_password(robot.secret_hash, credential.password.reveal()):
            return Rejected(reason=Reason.WRONG_PASSWORD)
        if not robot.is_active(now):
            return Rejected(reason=Reason.EXPIRED if robot.is_expired(now) else Reason.DISABLED)
        return Accepted(principal=robot.principal(prefix), method=Method.ROBOT)


def robot_prefix(connection: Connection) -> str:
    """What the name of a robot account begins with, as it is configured."""
    configured = directory.configuration(connection, [PREFIX_KEY]).get(PREFIX_KEY)
    return configured if isinstance(configured, str) and configured else ROBOT_PREFIX
