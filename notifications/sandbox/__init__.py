"""The sandbox: a loopback FCM v1 server and a phone screen to see what arrived.

Where no Firebase key is configured, senders point here: the same code path at
another address. It keeps nothing but its log, one JSON line per accepted
message, written before the answer and never de-duplicated, so that the log can
judge what was sent twice or not at all.
"""
