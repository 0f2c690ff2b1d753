"""Text from strangers, made fit for a message."""

import re

#: Longest excerpt of a body in a message: enough to recognise an error page, short for a chat.
EXCERPT_CHARS = 200

#: Longest line of a report.
MESSAGE_CHARS = 1000

# Control characters, and what Unicode calls white space.
_GAP = re.compile(r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")


def excerpt(text: str, limit: int = EXCERPT_CHARS) -> str:
    """Cuts `text` to `limit` characters, marks the cut, and turns control characters (line ends,
    terminal escapes) and runs of white space into one space."""
    tidy = _GAP.sub(" ", text).strip(" ")
    return tidy if len(tidy) <= limit else f"{tidy[:limit].rstrip(' ')}…"
