"""What the webhook service reads: the numbered log, and parked notifications."""
