"""Formats in which events come over HTTP; each makes rows of the canonical table of messages.

A format only says what a message means. Whether a row may become an event is judged where rows of
files are judged. What a message means never depends on when it came: the same message sent again
says the same.
"""

from churnguard.events.formats.cloudevents import read_cloud_event
from churnguard.events.formats.items import Item, read_items
from churnguard.events.formats.native import read_native
from churnguard.events.formats.segment import read_segment

__all__ = ["Item", "read_cloud_event", "read_items", "read_native", "read_segment"]
