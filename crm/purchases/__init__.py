"""What people bought and what they subscribe to: typed facts kept from events.

Each event about an order or a subscription is one entry that is never changed; the row
of the order or subscription is folded from its entries, so that the order in which they
arrive, and repeats, make no difference.
"""
