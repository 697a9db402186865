"""Quotas as the API shows them."""

from gateway.core.writing import Json, time_or_never
from services.api.domain.quota import STORAGE, Quota


def quota_view(quota: Quota) -> Json:
    """A quota; what it refers to is the project of the same number."""
    return {
        "id": quota.id,
        "ref": {"id": quota.id, "name": quota.project, "owner_name": quota.owner},
        "hard": {STORAGE: quota.limit},
        "used": {STORAGE: quota.used},
        "creation_time": time_or_never(quota.created_at),
        "update_time": time_or_never(quota.updated_at),
    }
