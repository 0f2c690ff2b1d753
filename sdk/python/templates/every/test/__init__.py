"""Tests of the plugin: `python3 -m unittest` in its folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "vendor/sluice-sdk"))
