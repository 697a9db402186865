"""The event catalogue in words, JSON Schema and AsyncAPI, made from the definitions: `python -m shared.events.docs`."""
