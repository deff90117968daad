"""The main job told as one story."""
