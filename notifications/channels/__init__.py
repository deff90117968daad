"""Channels: how one message leaves us, and what the provider's answer means.

A channel sends ready messages and returns one outcome for each. It holds no
retry, reads no database and decides nothing; only `delivery` opens one.
"""
