"""A scripted host: a plugin's logic as a unit test, without wasm and without a network.

    played = (
        Script(settings={"path": "/health"})
        .call("GET", "/health", Reply.json(200, {"status": "failing"}))
        .run(plugin)
    )
    assert played.report.outcome == "fail"

An unexpected request, and an expected one that never came, fail the test and say so.
"""

from .played import Played
from .reply import Reply
from .script import Script

__all__ = ["Played", "Reply", "Script"]
