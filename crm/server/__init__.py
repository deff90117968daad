"""Requests in: whole and in time, before a thread of ours is spent on them."""
