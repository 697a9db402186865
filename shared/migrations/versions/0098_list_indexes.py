"""Indexes for the orders and filters that lists are asked for, so that no page reads a whole table.

An order's index ends in the id that breaks its ties, in the order's own direction: it serves both. Times that may be
unset sort as the earliest. Parts of names are found by trigrams; the extension is there since revision 0006.
"""

from alembic import op

revision = "0098"
down_revision = "0097"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE INDEX ix_projects_name_text ON core.projects USING gin (name audit.gin_trgm_ops);
        CREATE INDEX ix_repositories_name_text ON core.repositories USING gin (name audit.gin_trgm_ops);
        CREATE INDEX ix_tags_name_text ON core.tags USING gin (name audit.gin_trgm_ops);
        CREATE INDEX ix_repositories_created ON core.repositories (created_at DESC, id DESC);
        CREATE INDEX ix_repositories_updated ON core.repositories (updated_at DESC, id DESC);
        CREATE INDEX ix_repositories_project_updated ON core.repositories (project_id, updated_at DESC, id DESC);

        CREATE INDEX ix_artifacts_repository_pulled
            ON core.artifacts (repository_id, pulled_at DESC NULLS LAST, id DESC) WHERE listed;
        CREATE INDEX ix_artifacts_repository_size ON core.artifacts (repository_id, size DESC, id DESC) WHERE listed;
        CREATE INDEX ix_artifacts_repository_type
            ON core.artifacts (repository_id, type, pushed_at DESC, id DESC) WHERE listed;
        CREATE INDEX ix_artifacts_project_pulled
            ON core.artifacts (project_id, pulled_at DESC NULLS LAST, id DESC) WHERE listed;
        CREATE INDEX ix_artifacts_project_type
            ON core.artifacts (project_id, type, pushed_at DESC, id DESC) WHERE listed;
        -- base=*: the children of indexes too
        CREATE INDEX ix_artifacts_repository_every ON core.artifacts (repository_id, pushed_at DESC, id DESC);
        CREATE INDEX ix_artifacts_project_every ON core.artifacts (project_id, pushed_at DESC, id DESC);
        """
    )
