"""Images kept in step with other registries: policies become executions, executions tasks, and workers copy."""
