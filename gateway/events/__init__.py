"""The events mount: the live stream out of the numbered log."""
