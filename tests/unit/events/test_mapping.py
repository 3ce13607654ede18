"""A mapping finds its columns, and says clearly what it misses or cannot mean."""

from __future__ import annotations

import pytest

from churnguard.errors import SchemaError
from churnguard.events.mapping import mapping_of, preset, presets, read_mapping


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_described_and_needs_something(name):
    assert preset(name).describes
    assert preset(name).required


def test_a_missing_column_is_named_with_what_is_there_and_the_closest():
    with pytest.raises(SchemaError) as caught:
        preset("orders").locate(["order_id", "custmer_id", "date"], source="o.csv")
    assert str(caught.value) == (
        "o.csv has no column 'customer_id' (the field customer_id). "
        "It has: order_id, custmer_id, date. The closest is 'custmer_id'."
    )
    assert "--map" in caught.value.hint


def test_names_fit_whatever_their_case_and_separators():
    places = preset("online-retail").locate(
        ["invoice", "STOCKCODE", "Quantity", "Invoice_Date", "Price", "customer id"], source="x"
    )
    assert places["customer_id"] == "customer id"
    assert places["occurred_at"] == "Invoice_Date"


def test_the_first_name_that_is_there_is_taken():
    mapping = mapping_of({"columns": {"value": ["total", "sum"]}})
    assert mapping.locate(["sum", "total"], source="x") == {"value": "total"}
    assert mapping.locate(["sum"], source="x") == {"value": "sum"}


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("shape = 'rows'", "shape"),
        ("[columns]\ncustomer = 'c'", "'customer' is no field; customer_id?"),
        ("[constants]\nvalue = '3'", "may be constant"),
        ("[[quarantine]]\nreason = 'No!'\nif = {order_id = 'A.*'}", "reason"),
        ("[[quarantine]]\nreason = 'odd'\nif = {colour = 'red'}", "'colour' is no field"),
        ("[[quarantine]]\nreason = 'odd'\nif = {order_id = '(A'}", "is no regular expression"),
        ("[[quarantine]]\nreason = 'odd'\nif = {quantity = 'few'}", "is no comparison"),
        ("extends = 'nothing'", "There is no preset 'nothing'"),
        ("columns = [", "cannot be read"),
        ("speed = 3", "speed"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(tmp_path, toml, says):
    file = tmp_path / "mine.toml"
    file.write_text(toml, encoding="utf-8")
    with pytest.raises(SchemaError) as caught:
        read_mapping(file)
    assert says in str(caught.value)


def test_an_own_mapping_may_start_from_a_preset(tmp_path):
    file = tmp_path / "afisha.toml"
    file.write_text(
        'extends = "orders"\n[columns]\nvalue = "Turnover"\n[constants]\ncurrency = "RUB"\n',
        encoding="utf-8",
    )
    mapping = read_mapping(file)
    assert (mapping.name, mapping.shape) == ("afisha", "orders")
    assert mapping.columns["value"] == ("Turnover",)
    assert mapping.columns["customer_id"] == preset("orders").columns["customer_id"]
    assert mapping.constants == {"currency": "RUB"}


def test_an_unknown_preset_is_answered_with_those_there_are():
    with pytest.raises(SchemaError, match="Did you mean 'orders'") as caught:
        preset("order")
    assert "online-retail" in caught.value.hint
