"""Bodies about projects."""

from pydantic import Field

from gateway.core.bodies.allowlist import AllowlistBody
from gateway.core.reading import Body
from services.api.domain.allowlist import Tolerated
from services.api.domain.project import NewProject
from shared.errors import BadRequest


class ProjectMetadataBody(Body):
    """A project's metadata; the values are texts, whatever they mean."""

    public: str | None = None
    enable_content_trust: str | None = None
    enable_content_trust_cosign: str | None = None
    prevent_vul: str | None = None
    severity: str | None = None
    auto_scan: str | None = None
    auto_sbom_generation: str | None = None
    reuse_sys_cve_allowlist: str | None = None
    retention_id: str | None = None
    proxy_speed_kb: str | None = None
    max_upstream_conn: str | None = None
    proxy_cache_local_on_not_found: str | None = None
    proxy_referrer_api: str | None = None
    proxy_cache_filter_pattern: str | None = None
    proxy_cache_filter_kind: str | None = None


class ProjectBody(Body):
    """A project to be made or changed; `public` beside the metadata is the older form."""

    project_name: str = Field(default="", max_length=255)
    public: bool | None = None
    metadata: ProjectMetadataBody = ProjectMetadataBody()
    cve_allowlist: AllowlistBody | None = None
    storage_limit: int | None = None
    registry_id: int | None = None

    def given_metadata(self) -> dict[str, str]:
        """What the client says about the metadata, `public` in either form among it."""
        older = {} if self.public is None else {"public": str(self.public).lower()}
        return older | self.metadata.model_dump(exclude_none=True)

    def given_allowlist(self) -> Tolerated | None:
        """The project's own allowlist as it shall be; None where the client says nothing of it."""
        return None if self.cve_allowlist is None else self.cve_allowlist.tolerated()

    def new_project(self, default_limit: int, *, may_set_limit: bool) -> NewProject:
        """The project asked for. Raises BadRequest where it shall be a proxy of another registry."""
        if self.registry_id:
            raise BadRequest("proxy-cache projects are not supported")
        metadata, allowlist = self.given_metadata(), self.given_allowlist() or Tolerated()
        limit = self.storage_limit if self.storage_limit and may_set_limit else default_limit
        return NewProject(name=self.project_name, metadata=metadata, storage_limit=limit, allowlist=allowlist)
