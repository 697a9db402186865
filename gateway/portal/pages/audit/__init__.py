"""The system's record of who did what: looked through, taken along, and whether it is whole."""
