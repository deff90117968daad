"""Tests of the channels: over real sockets, against servers that misbehave."""
