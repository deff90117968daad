"""Our engine: Django's for PostgreSQL, with less of what costs."""
