"""Published clients, unmodified, each apart from the product's own packages.

`environments` installs them, `conftest` gives a live server, `scripts/` holds what
each client is told to do; the tests read the rows that came of it.
"""
