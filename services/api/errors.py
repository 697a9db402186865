"""What the use cases of the system's metadata refuse; the codes are the ones of `shared.errors`."""

from shared.errors import BadRequest, Conflict, Forbidden, NotFound, PreconditionFailed
from shared.names import RepositoryName


class NoSuchProject(NotFound):
    """The project does not exist."""

    default = "the project does not exist"


class ProjectExists(Conflict):
    """A project has this name, or a token of a deleted one may still live."""

    default = "a project of this name exists already"


class ProjectNotEmpty(PreconditionFailed):
    """A project with repositories cannot be deleted."""

    default = "the project still has repositories: delete them first"


class NoSuchMetadata(NotFound):
    """The project has no such metadata."""

    default = "the project does not have this metadata"


class MetadataExists(Conflict):
    """The project has this metadata already."""

    default = "the project has this metadata already"


class NoSuchUser(NotFound):
    """The user does not exist."""

    default = "the user does not exist"


class UserExists(Conflict):
    """Another account has this name or address."""

    default = "a user of this name or e-mail address exists already"


class UnfitUser(BadRequest):
    """A field of the account breaks its rule."""

    default = "the user's data is not valid"


class LastAdministrator(Forbidden):
    """Without a system administrator nobody could let anybody in again."""

    default = "the last system administrator cannot be removed"


class NotOurs(Forbidden):
    """The account is kept by a directory."""

    default = "the account is kept in the directory and cannot be changed here"


class NoSuchMember(NotFound):
    """The project has no such member."""

    default = "the member does not exist"


class MemberExists(Conflict):
    """The user or group is a member already."""

    default = "the user or group is a member of the project already"


class NoSuchGroup(NotFound):
    """The group does not exist."""

    default = "the user group does not exist"


class GroupExists(Conflict):
    """The group of the directory is known already."""

    default = "this group of the directory exists already"


class UnfitGroup(BadRequest):
    """A field of the group breaks its rule."""

    default = "the user group's data is not valid"


class Escalation(Forbidden):
    """Nobody may hand on rights that he does not have."""

    default = "you cannot grant more rights than you have"


class NoSuchRobot(NotFound):
    """The robot account does not exist."""

    default = "the robot account does not exist"


class RobotExists(Conflict):
    """A robot account has this name."""

    default = "a robot account of this name exists already"


class UnfitRobot(BadRequest):
    """A field of the robot account breaks its rule."""

    default = "the robot account's data is not valid"


class NoSuchLabel(NotFound):
    """The label does not exist, or belongs to another project."""

    default = "the label does not exist"


class LabelExists(Conflict):
    """A label of the same scope has this name."""

    default = "a label of this name exists already"


class UnfitLabel(BadRequest):
    """A field of the label breaks its rule."""

    default = "the label's data is not valid"


class AlreadyLabelled(Conflict):
    """The artifact bears the label."""

    default = "the artifact bears the label already"


class NotLabelled(NotFound):
    """The artifact does not bear the label."""

    default = "the artifact does not bear the label"


class UnfitSetting(BadRequest):
    """A configuration item is of the wrong type, out of its range, or cannot be changed."""

    default = "the configuration item is not valid"


class OverQuota(Forbidden):
    """What would be stored does not fit under the project's quota."""

    code = "DENIED"
    default = "the project's storage quota is exceeded"


class NoSuchQuota(NotFound):
    """There is no project with this number."""

    default = "the quota does not exist"


class TagIsImmutable(PreconditionFailed):
    """A rule of the project holds this tag fast."""

    default = "the tag is immutable"

    def __init__(self, repository: RepositoryName, tag: str) -> None:
        super().__init__(f"the tag {repository}:{tag} is immutable: it can be neither moved nor deleted")


class NoSuchRule(NotFound):
    """The project has no such rule."""

    default = "the rule does not exist"


class RuleExists(Conflict):
    """The project has the same rule already."""

    default = "the project has this rule already"


class StorageEmpty(PreconditionFailed):
    """The registry shows nothing of what the catalogue has."""

    default = "the registry's storage is empty and the catalogue is not"


class AlreadyComparing(Conflict):
    """One comparison of registry and catalogue at a time."""

    default = "a comparison is running already: let it finish"


class NoSuchPurge(NotFound):
    """Nobody has asked for such a purge."""

    default = "the purge does not exist"


class NoSuchCollection(NotFound):
    """Nobody has asked for such a collection."""

    default = "the garbage collection does not exist"


class SeveralRegistries(Conflict):
    """Garbage is collected while nothing is written, and one registry knows nothing of what another one takes."""

    default = "garbage is collected where one registry runs alone: bring the instance to one pod first (replicas: 1)"


class CollectionRunning(Conflict):
    """One at a time."""

    default = "a garbage collection waits or runs already: wait for the end, or stop it"


class NoSuchRetention(NotFound):
    """The project has no such policy, or the policy no such execution or task."""

    default = "the retention policy, execution or task does not exist"


class RetentionExists(BadRequest):
    """A project has one policy; Harbor's clients know this refusal as 400."""

    default = "the project has a retention policy already"


class RetentionRunning(Conflict):
    """What a policy does is not begun twice."""

    default = "the retention policy is being carried out already: wait for the end, or stop it"
