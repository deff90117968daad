"""Consent: what a person allows, where they said so, and how to prove it."""
