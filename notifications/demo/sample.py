"""The product's own small sample: a made-up shop, the same on every machine.

Same columns as a real log, so both take the same road. Randomness is a hash of
what is drawn for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from crm.buckets import hash_fnv1a
from notifications.demo.rows import Row

# code, name, price in GBP, category
PRODUCTS = (
    ("AE-101", "Alpine Explorer jacket", "189.00", "Jackets"),
    ("AE-102", "Alpine Explorer trousers", "119.00", "Trousers"),
    ("MW-210", "Merino base layer", "64.00", "Base layers"),
    ("MW-211", "Merino socks, two pairs", "22.00", "Socks"),
    ("TR-305", "Trail running shoes", "129.00", "Shoes"),
    ("TR-306", "Waterproof hiking boots", "169.00", "Shoes"),
    ("BP-401", "Daypack 22 l", "79.00", "Packs"),
    ("BP-402", "Trekking pack 55 l", "199.00", "Packs"),
    ("TN-501", "Two-person tent", "349.00", "Camp"),
    ("TN-502", "Down sleeping bag", "259.00", "Camp"),
    ("TN-503", "Camping stove", "69.00", "Camp"),
    ("WB-601", "Insulated bottle 0.75 l", "29.00", "Bottles"),
    ("GL-701", "Touchscreen gloves", "35.00", "Accessories"),
    ("GL-702", "Wool beanie", "27.00", "Accessories"),
    ("HL-801", "Head torch 400 lm", "49.00", "Accessories"),
    ("SW-901", "Chunky knit sweater, blue", "89.00", "Sweaters"),
    ("SW-902", "Chunky knit sweater, grey", "89.00", "Sweaters"),
)
CATEGORIES = {name: category for _, name, _, category in PRODUCTS}
COUNTRIES = ("United Kingdom",) * 12 + (
    "Germany",
    "France",
    "Spain",
    "Netherlands",
    "Australia",
    "Japan",
    "USA",
    "EIRE",
)
# The sample's calendar ends here; loading shifts it so that it ends now.
ENDS_AT = datetime(2025, 6, 30, 18, 0)  # noqa: DTZ001 - a shop's wall clock
SPAN_DAYS = 200


def make_rows(customers: int = 400) -> Iterator[Row]:
    """About four orders for each of so many customers, in order of time."""
    rows = [row for number in range(customers) for row in _make_customer(number)]
    yield from sorted(rows, key=lambda row: (row.at, row.invoice, row.code))
    # The last word is the calendar's end, so that the shift is a constant.
    yield _make_line("9999999", 0, ENDS_AT, "1", COUNTRIES[0])


def draw(*key: object) -> float:
    """A stable number in [0, 1) for this key."""
    text = ":".join(map(str, key))
    return hash_fnv1a(str(hash_fnv1a(text))) / 2**32


def _make_customer(number: int) -> Iterator[Row]:
    customer = str(20_001 + number)
    country = COUNTRIES[int(draw("country", number) * len(COUNTRIES))]
    # Every third went quiet at some time in the past.
    quiet_days = draw("quiet", number) * 150 if draw("lapsed", number) < 0.45 else 0
    for order in range(1 + int(draw("orders", number) * 7)):
        back_days = quiet_days + draw("day", number, order) * (SPAN_DAYS - quiet_days)
        at = ENDS_AT - timedelta(days=back_days, minutes=1)
        hour = 8 + int(draw("hour", number, order) * 12)
        at = min(at.replace(hour=hour, microsecond=0), ENDS_AT - timedelta(minutes=1))
        invoice = f"{500_000 + number * 10 + order}"
        for line in range(1 + int(draw("lines", number, order) * 3)):
            yield _make_line(invoice, line, at, customer, country)


def _make_line(
    invoice: str, line: int, at: datetime, customer: str, country: str
) -> Row:
    code, name, price, _ = PRODUCTS[int(draw(invoice, line) * len(PRODUCTS))]
    return Row(
        invoice=invoice,
        code=code,
        description=name,
        quantity=1 + int(draw("n", invoice, line) * 2),
        at=at,
        price=Decimal(price),
        customer=customer,
        country=country,
    )
