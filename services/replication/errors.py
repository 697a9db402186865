"""What replication refuses, and what an attempt can fail at."""

from datetime import timedelta
from typing import TYPE_CHECKING

from shared.errors import BadRequest, BreakwaterError, Conflict, NotFound, PreconditionFailed

if TYPE_CHECKING:
    from services.replication.domain.task import Fault


class UnfitRegistry(BadRequest):
    """A field of a registry breaks its rule."""

    default = "the registry is not valid"


class UnfitPolicy(BadRequest):
    """A field of a replication policy breaks its rule, or the policy cannot be carried out so."""

    default = "the replication policy is not valid"


class UnhealthyRegistry(BadRequest):
    """The registry does not answer, or does not take the credential."""

    default = "the registry is unhealthy"


class NoSuchRegistry(NotFound):
    """There is no registry of this number."""

    default = "the registry does not exist"


class NoSuchPolicy(NotFound):
    """There is no replication policy of this number."""

    default = "the replication policy does not exist"


class NoSuchExecution(NotFound):
    """There is no execution of this number."""

    default = "the replication execution does not exist"


class NoSuchTask(NotFound):
    """The execution has no task of this number."""

    default = "the replication task does not exist"


class RegistryExists(Conflict):
    """Another registry has this name."""

    default = "a registry of this name exists already"


class PolicyExists(Conflict):
    """Another policy has this name."""

    default = "a replication policy of this name exists already"


class RegistryInUse(PreconditionFailed):
    """A policy copies to or from this registry."""

    default = "the registry is used by a replication policy: delete or change that first"


class PolicyRunning(PreconditionFailed):
    """The policy has an execution that has not ended."""

    default = "an execution of the replication policy has not ended: stop it first"


class PolicyStopping(PolicyRunning):
    """The policy's executions are being stopped, and have not ended yet."""

    default = "an execution of the replication policy is being stopped and has not ended yet: try again in a moment"


class PolicyHeld(Conflict):
    """While an execution runs its policy cannot be about another registry."""

    default = "an execution of the replication policy has not ended: stop it before the registry is changed"


class PolicyDisabled(PreconditionFailed):
    """Nothing is begun for a policy that is disabled."""

    default = "the replication policy is disabled: enable it first"


class AttemptFailed(BreakwaterError):
    """Something that was tried with a registry did not succeed; the fault says whether trying again may help."""

    code = "REPLICATION_FAILED"
    default = "the other registry could not be worked with"

    def __init__(self, fault: "Fault", sentence: str, *, after: timedelta | None = None) -> None:
        super().__init__(sentence)
        self.fault = fault
        self.after = after
        """The pause that the other side asks for."""


class CannotUntag(AttemptFailed):
    """This registry deletes manifests by their digest alone, and with all their tags."""
