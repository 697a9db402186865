"""The operations of Harbor's API that are not built: they answer 501 in the API's error shape, not 404.

A row goes when its resource comes; a test compares this table and the routes with the API's description.
"""

from typing import Final, NoReturn

from gateway.core.request import ApiRequest, ApiResponse
from shared.errors import NotImplementedHere

UNBUILT: Final[dict[str, str]] = {
    # artifact
    "/projects/{project}/repositories/{repository}/artifacts/{reference}/additions/vulnerabilities": "GET",
    # icon
    "/icons/{digest}": "GET",
    # jobservice
    "/jobservice/jobs/{job_id}": "PUT",
    "/jobservice/queues/{job_type}": "PUT",
    # oidc
    "/system/oidc/ping": "POST",
    # preheat
    "/p2p/preheat/instances": "GET POST",
    "/p2p/preheat/instances/ping": "POST",
    "/p2p/preheat/instances/{preheat_instance_name}": "DELETE GET PUT",
    "/p2p/preheat/providers": "GET",
    "/projects/{project}/preheat/policies": "GET POST",
    "/projects/{project}/preheat/policies/{preheat_policy_name}": "DELETE GET POST PUT",
    "/projects/{project}/preheat/policies/{preheat_policy_name}/executions": "GET",
    "/projects/{project}/preheat/policies/{preheat_policy_name}/executions/{execution_id}": "GET PATCH",
    "/projects/{project}/preheat/policies/{preheat_policy_name}/executions/{execution_id}/tasks": "GET",
    "/projects/{project}/preheat/policies/{preheat_policy_name}/executions/{execution_id}/tasks/{task_id}/logs": "GET",
    "/projects/{project}/preheat/providers": "GET",
    # project
    "/projects/{project}/scanner": "GET PUT",
    "/projects/{project}/scanner/candidates": "GET",
    # scan
    "/projects/{project}/repositories/{repository}/artifacts/{reference}/scan": "POST",
    "/projects/{project}/repositories/{repository}/artifacts/{reference}/scan/stop": "POST",
    "/projects/{project}/repositories/{repository}/artifacts/{reference}/scan/{report_id}/log": "GET",
    # scan data export
    "/export/cve": "POST",
    "/export/cve/download/{execution_id}": "GET",
    "/export/cve/execution/{execution_id}": "GET",
    "/export/cve/executions": "GET",
    # scanAll
    "/scans/all/metrics": "GET",
    "/scans/schedule/metrics": "GET",
    "/system/scanAll/schedule": "GET POST PUT",
    "/system/scanAll/stop": "POST",
    # scanner
    "/scanners": "GET POST",
    "/scanners/ping": "POST",
    "/scanners/{registration_id}": "DELETE GET PATCH PUT",
    "/scanners/{registration_id}/metadata": "GET",
    # securityhub
    "/security/summary": "GET",
    "/security/vul": "GET",
    # user
    "/users/{user_id}/cli_secret": "PUT",
}
"""Path below /api/v2.0 → methods."""


class Unbuilt:
    """A path of the table."""

    def __init__(self, methods: str) -> None:
        for method in methods.split():
            setattr(self, f"on_{method.lower()}", self._refuse)

    def _refuse(self, _req: ApiRequest, _resp: ApiResponse, **_path: str) -> NoReturn:
        raise NotImplementedHere
