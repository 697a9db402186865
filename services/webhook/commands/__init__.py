"""What the webhook service changes: notifications into the outbox, the outbox into the log, parked notifications."""
