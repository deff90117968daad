"""The pages of one's own second factor, and the step at login that asks for it."""
