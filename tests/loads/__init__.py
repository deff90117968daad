"""Faults of ingest under load, on whole processes; docs/operations.md has the figures.

Each test sends for 15 seconds; `--full` runs each once more for ten minutes.
"""
