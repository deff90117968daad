"""The embedded PostgreSQL and the processes that `up` supervises."""
