"""The tests; each package mirrors its source."""
