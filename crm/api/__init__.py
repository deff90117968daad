"""HTTP edges of the system of record: foreign wires and our own REST API."""
