"""The road in: parse, deduplicate, attach, append, leave a pending row."""
