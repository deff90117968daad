"""Staff see orders, each refund by itself, and what does not fit; nobody edits them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from crm.models import Order
from tests.factories import make_contact, make_purchase

pytestmark = pytest.mark.django_db
LIST = "/admin/crm/order/"


@pytest.fixture
def order() -> Order:
    ada = make_contact("ada", traits={"name": "Ada"})
    return make_purchase(ada, "A-1", placed=100, refunded="30.5")


def test_the_list_tells_gross_refunded_and_net(
    order: Order, admin_client: Client
) -> None:
    make_purchase(make_contact("bob"), "B-1", placed=5)

    page = admin_client.get(LIST, {"state": "partially_refunded"}).content.decode()

    for said in ("A-1", "Ada", "100.00 EUR", "30.50 EUR", "69.50 EUR"):
        assert said in page
    assert "B-1" not in page
    assert "Add order" not in page


def test_the_page_tells_what_was_said_of_an_order(
    order: Order, admin_client: Client
) -> None:
    page = admin_client.get(f"{LIST}{order.pk}/change/").content.decode()

    assert page.index("Placed</td>") < page.index("Refunded</td>")
    assert "69.50 EUR" in page


def test_the_page_says_what_does_not_fit(admin_client: Client) -> None:
    order = make_purchase(make_contact(), "1", placed=10, refunded=12)

    page = admin_client.get(f"{LIST}{order.pk}/change/").content.decode()

    assert "2.00 EUR more than the order was worth" in page


def test_an_empty_list_says_what_to_do(admin_client: Client) -> None:
    assert "Order Completed" in admin_client.get(LIST).content.decode()


def test_the_contact_page_tells_what_is_left(
    order: Order, admin_client: Client
) -> None:
    make_purchase(order.contact, "A-2", placed=20)
    url = f"/admin/crm/contact/{order.contact_id}/change/"

    page = admin_client.get(url).content.decode()

    assert "89.50 EUR in 2 orders after 30.50 EUR refunded" in page
    assert "69.50 EUR of 100.00 EUR, partially refunded, 04 Mar 2026" in page


def test_support_sees_orders_and_nobody_without_a_role_does(
    order: Order, client: Client
) -> None:
    user = User.objects.create_user("sue", is_staff=True)
    client.force_login(user)
    assert client.get(LIST).status_code == 403

    user.groups.add(Group.objects.get(name="Support"))

    assert client.get(LIST).status_code == 200
