"""The door of this project for any ASGI server: ``uvicorn --app-dir serving app:app``."""

from pathlib import Path

from churnguard.serving.guests import lock_out

lock_out()  # first of all: what serving never needs is never loaded

from churnguard.bootstrap import open_shop
from churnguard.serving import app_for
from churnguard.serving.access_log import log_json_lines

log_json_lines()
app = app_for(open_shop(Path(__file__).parents[1]))
