"""Traits that follow from what people did: defined by staff, kept up with events.

Values stand in `Contact.computed`, written here alone. `segments.traits` passes on
what moved, since segments stand above.
"""
