"""A file of items changes the columns it has, and nothing else."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crm.models import Product
from tests.crm.imports.files import (
    check_file,
    count_rows,
    list_problems,
    make_csv,
    run_file,
)
from tests.factories import make_product

pytestmark = pytest.mark.django_db


def test_products_are_made_and_only_the_said_columns_are_changed() -> None:
    make_product("sku-1", name="Lamp", price=Decimal(10), attributes={"color": "red"})
    content = make_csv(
        "sku,title,price,stock,watts",
        "sku-1,,8.5,3,40",
        "sku-2,Chair,20,,",
        "sku-2,,20,,",
    )
    assert count_rows(check_file(content, "items")) == (1, 1, 1, 0)
    assert Product.objects.get().price == 10
    assert count_rows(run_file(content, "items")) == (1, 1, 1, 0)
    lamp, chair = Product.objects.order_by("code")
    assert (lamp.name, lamp.price, lamp.stock) == ("Lamp", Decimal("8.50"), 3)
    assert lamp.attributes == {"color": "red", "watts": 40}
    assert (chair.name, chair.price, chair.stock) == ("Chair", Decimal("20.00"), None)
    assert count_rows(run_file(content, "items")) == (0, 0, 3, 0)


def test_every_fault_names_its_line_and_column() -> None:
    job = run_file(
        make_csv(
            "code,name,price,stock,currency",
            ",x,1,1,GBP",
            "a,,1,1,GBP",
            "b,x,-1,1,GBP",
            "c,x,NaN,1,GBP",
            "d,x,1e30,1,GBP",
            "e,x,1,1.5,GBP",
            "f,x,1,99999999999,GBP",
            "g,x,1,1,POUND",
            f"h,{'x' * 301},1,1,GBP",
            "i,x,1,1,gbp",
        ),
        "items",
    )
    assert count_rows(job) == (1, 0, 0, 9)
    assert list_problems(job) == [
        (2, "code", "required"),
        (3, "name", "required"),
        (4, "price", "below_0"),
        (5, "price", "number_out_of_range"),
        (6, "price", "number_out_of_range"),
        (7, "stock", "not_a_whole_number"),
        (8, "stock", "not_a_whole_number"),
        (9, "currency", "too_long"),
        (10, "name", "too_long"),
    ]
    assert Product.objects.get().currency == "GBP"
