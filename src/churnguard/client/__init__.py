"""A client of the HTTP API: typed answers, retries that repeat nothing, pages as iterators.

It needs the standard library only, and nothing of the service it speaks to.
"""

from churnguard.client.answers import (
    Action,
    Endpoint,
    EventResult,
    Model,
    Outcome,
    Reason,
    Score,
    ScoreChange,
    SentEvents,
)
from churnguard.client.client import Client
from churnguard.client.failures import (
    ApiError,
    NotAllowed,
    NotFound,
    RateLimited,
    Unavailable,
    WrongRequest,
)
from churnguard.client.retries import Retries
from churnguard.client.transport import HttpTransport, Reply, Request, Transport

__all__ = [
    "Action",
    "ApiError",
    "Client",
    "Endpoint",
    "EventResult",
    "HttpTransport",
    "Model",
    "NotAllowed",
    "NotFound",
    "Outcome",
    "RateLimited",
    "Reason",
    "Reply",
    "Request",
    "Retries",
    "Score",
    "ScoreChange",
    "SentEvents",
    "Transport",
    "Unavailable",
    "WrongRequest",
]
