"""Under which id a customer is kept: the one asked for, or the one that it was merged into.

An id that turned out to be another customer's goes on being good for every question; the answer
names the customer.
"""

from __future__ import annotations

from churnguard.errors import CustomerNotFound
from churnguard.jobs.ports import Shop


def known_customer(shop: Shop, customer_id: str) -> str:
    """Return the id under which a customer is kept.

    Parameters
    ----------
    shop : Shop
        An opened project.
    customer_id : str
        The customer's id, or one that was merged into it.

    Raises
    ------
    CustomerNotFound
        If the shop has no such customer.

    Examples
    --------
    >>> from churnguard.jobs.merge_customers import merge_customers
    >>> from churnguard.testing import build_events, fake_shop
    >>> shop = fake_shop(events=build_events([{"customer_id": "guest-7"}]))
    >>> known_customer(shop, "guest-7")
    'guest-7'
    >>> _ = merge_customers(shop, [("guest-7", "C1")], actor="cli:dana")
    >>> known_customer(shop, "guest-7")
    'C1'
    """
    if shop.events.has_customer(customer_id):
        return customer_id
    owner = owner_of(shop, customer_id)
    if owner == customer_id or not shop.events.has_customer(owner):
        raise CustomerNotFound(
            "There is no customer with this id.", hint="Ids are those of your own events."
        )
    return owner


def owner_of(shop: Shop, customer_id: str) -> str:
    """Return into whom an id was merged; the id itself where it was not."""
    return shop.events.owners([customer_id]).get(customer_id, customer_id)
