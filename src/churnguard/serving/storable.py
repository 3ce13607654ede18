"""Text as every store can hold it: PostgreSQL has no NUL."""

from __future__ import annotations

STORABLE = r"^[^\x00]*$"
"""What a text of a request must match that is stored, or looked up, as it is."""
