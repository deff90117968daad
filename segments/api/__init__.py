"""`/api/segments/`: segments, their people and history; a contact's segments."""
