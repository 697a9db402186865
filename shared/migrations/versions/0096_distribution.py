"""What lists on /v2 need: which manifest another one is about, and the names of repositories in their order."""

from alembic import op

revision = "0096"
down_revision = "0095"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- the digest that a manifest's field "subject" names; whether the registry holds that does not matter
        ALTER TABLE core.artifacts ADD COLUMN subject text;
        CREATE INDEX ix_artifacts_subject ON core.artifacts (repository_id, subject, digest COLLATE "C")
            WHERE subject IS NOT NULL;

        -- the same of a manifest that the catalogue may not have yet
        ALTER TABLE events.expected ADD COLUMN subject text;
        CREATE INDEX ix_expected_subject ON events.expected (repository, subject) WHERE subject IS NOT NULL;

        CREATE INDEX ix_repositories_listed ON core.repositories (name COLLATE "C") WHERE artifact_count > 0;
        """
    )
