"""A body that was looked at before its route is known is handed on as if nobody had read it."""

from __future__ import annotations

from starlette.types import Message, Receive


def read_again(body: bytes, receive: Receive, *, more: bool = False) -> Receive:
    """Give a body that was read once more, and then what follows it.

    Parameters
    ----------
    body : bytes
        What was read.
    receive : Receive
        Where it was read from.
    more : bool
        Whether some of it is still to come.
    """
    told = False

    async def once_more() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": more}

    return once_more
