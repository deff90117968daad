"""Who: rules over facts, and the memberships they keep live."""
