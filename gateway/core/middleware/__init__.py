"""What every request passes, one concern a module; the order is app.py's."""
