"""Tests of the sandbox: over real sockets, as the channel sees it."""
