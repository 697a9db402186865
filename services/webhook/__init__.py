"""The registry's notifications in, the outbox out to the broker."""
