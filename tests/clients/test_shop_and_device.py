"""Shop events and device events need no configuration."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crm.models import Device, Event, Product
from tests.clients.conftest import Site
from tests.clients.environments import SCRIPTS, install_python

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_a_shops_app_fills_devices_catalog_and_revenue(site: Site) -> None:
    client = install_python("customerio-cdp-analytics==1.1.0")
    done = client.run(
        SCRIPTS / "shop_and_device.py", SITE_URL=site.url, SITE_KEY=site.key
    )

    assert (done.code, done.errors) == (0, "")
    devices = Device.objects.order_by("token").values_list(
        "token", "platform", "state", "attributes", "contact__external_id"
    )
    assert list(devices) == [
        ("gone", "android", "gone", {"push_enabled": True}, "ada"),
        ("kept", "android", "active", {"push_enabled": True}, "ada"),
    ]
    product = Product.objects.get()
    assert (product.code, product.name, product.category) == ("p-1", "Socks", "Feet")
    assert (product.price, product.currency) == (Decimal("9.50"), "EUR")
    shop = Event.objects.exclude(name__startswith="Device").order_by("occurred_at")
    assert list(shop.values_list("name", "value", "currency")) == [
        ("Product Viewed", Decimal("9.5"), "EUR"),
        ("Product Added", Decimal("9.5"), ""),
        ("Order Completed", Decimal("19"), "EUR"),
        ("Order Refunded", Decimal("19"), "EUR"),
    ]
