"""What the shop sells: products with a category and a price, and who picks which of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from churnguard.events.simulation.draws import Floats, Ints, lognormals, stream

CATEGORIES = (
    "candles", "kitchen", "garden", "toys", "stationery", "lighting",
    "textiles", "jewellery", "bags", "baking", "bathroom", "seasonal",
)  # fmt: skip
PRODUCTS_PER_CATEGORY = 60
PRICE, PRICE_SPREAD = 21.0, 0.75
"""Median price and its log-spread; a demo shop's products are dearer than Online Retail II's."""

SEARCHES = (
    "mug",
    "scented candle",
    "tea towel",
    "lamp",
    "notebook",
    "gift box",
    "cushion",
    "apron",
)
MISSING = ("gluten free", "wheelchair tray", "vegan leather", "left handed", "xxl", "blackout")
"""What is searched for in vain."""


@dataclass(frozen=True)
class Assortment:
    """Products in the order of category and, within it, price.

    Attributes
    ----------
    names : pa.Array of string
    category : int64 array
    cents : int64 array
        Price in 1/100 of the currency unit.
    """

    names: pa.Array
    category: Ints
    cents: Ints


def draw_assortment(seed: int) -> Assortment:
    """Draw the products of a shop."""
    size = len(CATEGORIES) * PRODUCTS_PER_CATEGORY
    prices = lognormals(stream(seed, "assortment"), size, median=PRICE, spread=PRICE_SPREAD)
    prices = np.sort(prices.reshape(len(CATEGORIES), -1), axis=1).ravel()
    return Assortment(
        names=pa.array([f"P{1000 + number}" for number in range(size)]),
        category=np.repeat(np.arange(len(CATEGORIES)), PRODUCTS_PER_CATEGORY),
        cents=np.maximum(np.floor(prices * 2) * 50, 150).astype(np.int64),
    )


def pick(
    assortment: Assortment, *, favourites: Ints, customer: Ints, budget: Floats, u: Floats
) -> Ints:
    """Return products, one a row, that fit a budget.

    Parameters
    ----------
    favourites : int64 array (3, customers)
        Categories by customer.
    customer : int64 array (n,)
    budget : float64 array (n,)
        Cents; the product costs at most a little more, where there is one.
    u : float64 array (3, n)
        Uniform draws: which category, whether the customer's own darling, which product.
    """
    category = favourites[np.minimum((u[0] * u[0] * 3).astype(np.int64), 2), customer]
    start = category * PRODUCTS_PER_CATEGORY
    scale = int(assortment.cents.max()) + 1
    keys = assortment.category * scale + assortment.cents
    wanted = category * scale + np.minimum(budget * 1.2, scale - 1).astype(np.int64)
    affordable = np.maximum(np.searchsorted(keys, wanted, side="right") - start, 1)
    darling = (customer * 7919 % 1009) / 1009.0
    place = np.where(u[1] < 0.35, darling, 1.0 - u[2] * u[2])
    product: Ints = start + np.minimum((place * affordable).astype(np.int64), affordable - 1)
    return product
