"""The first page: what needs attention, what goes on, and on a fresh system the way to the first image."""
