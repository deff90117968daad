"""What a message says: Liquid to finished text, links and payload, within limits.

Nothing here reads the database, a clock or the network: the delivery engine brings
the facts, and gets back a `RenderedPush` or one of the errors of `errors`.
"""
