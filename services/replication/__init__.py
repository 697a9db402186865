"""Images kept in step with other registries; only its queue exists yet (see shared.messaging.topology)."""
