"""Catalogs: items written by code, what follows from a change, and their sources.

`save_items` is the one door for items: API, admin, imports, feeds and webhooks.
"""
