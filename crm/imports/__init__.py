"""Files in and out: CSV and XLSX become contacts, events and products, and back.

A file is kept in pieces in the database, so that any worker can take it up; a job
says how far it has come. `files` and `mapping` read, `contacts`, `events` and
`products` take in, `undo` gives back, `exports` writes.
"""
