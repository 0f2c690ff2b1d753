"""settings.schema.json is made from the settings in plugin.py: `UPDATE=1` writes it."""

import json
import os
import unittest
from pathlib import Path

from plugin import plugin

FILE = Path(__file__).parent.parent / "settings.schema.json"


class Schema(unittest.TestCase):
    def test_the_schema_says_what_the_settings_are(self) -> None:
        text = json.dumps(plugin.schema, indent=2, ensure_ascii=False) + "\n"
        if os.environ.get("UPDATE") == "1":
            FILE.write_text(text)
        self.assertEqual(FILE.read_text(), text, "run it again with UPDATE=1")
