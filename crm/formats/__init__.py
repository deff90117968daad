"""How dates are written on staff pages: one way everywhere, and 24 hours to a day."""
