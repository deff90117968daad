"""Money as staff read it. Pure."""

from __future__ import annotations

from decimal import Decimal


def show_money(amount: Decimal, currency: str) -> str:
    """Two digits, more only where there are more."""
    exact = amount.normalize()
    digits = max(2, -int(exact.as_tuple().exponent))
    return f"{amount:,.{digits}f} {currency}".strip()


def show_price(amount: Decimal | None, currency: str, interval: str) -> str:
    """'' where none is known."""
    if amount is None:
        return ""
    return show_money(amount, currency) + (f" a {interval}" if interval else "")
