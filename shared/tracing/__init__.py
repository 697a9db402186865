"""Traces: one for each request and all that follows from it, known by the request's id, sent to an OTLP collector.

Off unless a collector is set; then nothing of OpenTelemetry is loaded, and whoever asks is told that there is none.
"""
