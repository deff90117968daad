"""Owns who falls into which variant or holdout, and what it proved."""
