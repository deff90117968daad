"""The edges under fire: whatever is asked, and whoever asks."""
