"""Parameters of lists that are paged by AIP-158, the same wherever there are any."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

PageSize = Annotated[
    int, Query(description="0 or absent is 50; more than 1,000 is 1,000; negative is an error.")
]
PageToken = Annotated[str, Query(max_length=100, description="next_page_token of the page before.")]
