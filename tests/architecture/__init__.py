"""The shape of the code base, held: docs/architecture.md says why."""
