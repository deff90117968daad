"""Decide, say, send, learn: from an audience to a measured message."""
