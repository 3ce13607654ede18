"""How lists are paged (AIP-158): how many rows a page has, and where it begins."""

from __future__ import annotations

from churnguard.errors import InvalidRequest

DEFAULT_PAGE = 50
LARGEST_PAGE = 1000


def page_size_of(asked: int) -> int:
    """Return how many rows a page has.

    Raises
    ------
    InvalidRequest
        If the number is negative.

    Examples
    --------
    >>> page_size_of(0), page_size_of(5000)
    (50, 1000)
    """
    if asked < 0:
        raise InvalidRequest(
            "page_size must not be negative.", hint=f"Ask for 1 to {LARGEST_PAGE}, or leave it out."
        )
    return min(asked, LARGEST_PAGE) or DEFAULT_PAGE


def paged(page_size: int, page_token: str) -> tuple[int, int | None]:
    """Return size and last number seen, of a list that is paged by its rows' numbers.

    Raises
    ------
    InvalidRequest
        If the page size is negative or the token is not one that was handed out.

    Examples
    --------
    >>> paged(0, ""), paged(5000, "17")
    ((50, None), (1000, 17))
    """
    size = page_size_of(page_size)
    # A bigint has at most 19 digits.
    if page_token and not (page_token.isascii() and page_token.isdigit() and len(page_token) < 19):
        raise NotHandedOut
    return size, int(page_token) if page_token else None


class NotHandedOut(InvalidRequest):
    """A page token that nobody was given."""

    def __init__(self) -> None:
        super().__init__(
            "page_token is not one that was handed out.",
            hint="Ask for the first page again, without page_token.",
        )
