"""Lists of artifacts leave accessories out: those that are catalogued already, and the counts."""

from alembic import op

revision = "0105"
down_revision = "0104"
branch_labels = None
depends_on = None

CHANGE = """
    WITH changed AS (
        UPDATE core.artifacts a SET listed = {listed}
        WHERE a.listed <> {listed} AND a.subject IS NOT NULL
          AND EXISTS (SELECT FROM core.artifacts s WHERE s.repository_id = a.repository_id AND s.digest = a.subject)
          AND (EXISTS (SELECT FROM core.tags t WHERE t.artifact_id = a.id)
               OR NOT EXISTS (SELECT FROM core.artifact_references r WHERE r.child_id = a.id))
        RETURNING a.repository_id, a.project_id
    ),
    repository AS (
        UPDATE core.repositories r SET artifact_count = artifact_count {sign} c.number
        FROM (SELECT repository_id, count(*) AS number FROM changed GROUP BY repository_id) c
        WHERE r.id = c.repository_id
    )
    UPDATE core.projects p SET artifact_count = artifact_count {sign} c.number
    FROM (SELECT project_id, count(*) AS number FROM changed GROUP BY project_id) c
    WHERE p.id = c.project_id
"""


def upgrade() -> None:
    op.execute(CHANGE.format(listed="false", sign="-"))


def downgrade() -> None:
    op.execute(CHANGE.format(listed="true", sign="+"))
