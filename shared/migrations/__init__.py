"""The schema's history: one linear list of revisions in plain SQL, run as the owner role."""
