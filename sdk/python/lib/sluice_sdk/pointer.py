"""Places in a JSON document, and its values in a message."""

import json
from typing import Any, Final


class _Nothing:
    """What stands where nothing is: `null` is something."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = _Nothing()


def find(document: Any, place: str) -> Any:
    """Finds a value by JSON pointer (RFC 6901, begins with `/`), or by the name of a key at the
    top. `NOTHING`: it is not there."""
    if place == "":
        return document
    if not place.startswith("/"):
        return _child(document, place)
    value = document
    for step in place[1:].split("/"):
        value = _child(value, step.replace("~1", "/").replace("~0", "~"))
        if value is NOTHING:
            return NOTHING
    return value


def _child(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, NOTHING)
    is_index = step.isascii() and step.isdigit() and (step == "0" or step[0] != "0")
    if isinstance(value, list) and is_index and int(step) < len(value):
        return value[int(step)]
    return NOTHING


def push(pointer: str, step: object) -> str:
    """One more step of a pointer."""
    return f"{pointer}/{str(step).replace('~', '~0').replace('/', '~1')}"


def show(value: Any) -> str:
    """Compact JSON with sorted keys, so that every language shows the same value alike."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def equal(a: Any, b: Any) -> bool:
    """Equal as values: 1 and 1.0 are the same number, but no number is a boolean."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)
