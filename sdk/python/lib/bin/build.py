"""Makes the component of a plugin in Python: `plugin.py` under the world of its kind.

`sluice plugin build` runs this, then embeds `plugin.toml` and checks the result. It needs
componentize-py in the same environment, as requirements.txt says.
"""

import argparse
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

#: Not part of the plugin, wherever they lie in its folder.
_NOT_SOURCE = ("__pycache__", "cases", "target", "test", "tests", "vendor", "venv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", required=True, help="such as smoke-test, as plugin.toml says")
    parser.add_argument("--out", required=True, type=Path, help="where the component goes")
    parser.add_argument("--wit", type=Path, help="the contract; vendor/wit of the project")
    parser.add_argument("project", nargs="?", type=Path, default=Path("."))
    given = parser.parse_args()
    project = given.project.resolve()
    sdk = Path(__file__).resolve().parent.parent
    entry = f"{given.kind.replace('-', '_')}_entry"
    for needed in (project / "plugin.py", sdk / "entry" / f"{entry}.py"):
        if not needed.is_file():
            sys.exit(f"error: {needed} is missing")
    # The tool looks into every folder that it is shown: it gets the plugin's sources alone.
    with tempfile.TemporaryDirectory(prefix="sluice-python-") as folder:
        sources = Path(folder) / "plugin"
        _copy(project, sources)
        command = [
            _tool(),
            *("--wit-path", str((given.wit or project / "vendor/wit").resolve())),
            *("--world", f"{given.kind}-plugin"),
            "--quiet",
            "componentize",
            # A plugin has no clock, files or random numbers; what nobody imports, nobody trusts.
            "--stub-wasi",
            *("--python-path", str(sources)),
            *("--python-path", str(sdk)),
            *("--python-path", str(sdk / "entry")),
            *("--output", str(given.out.resolve())),
            entry,
        ]
        # In a folder of its own, and with nothing of this machine's Python.
        ended = subprocess.run(command, cwd=folder, env={"PATH": ""}, check=False)
    sys.exit(ended.returncode)


def _tool() -> str:
    found = shutil.which("componentize-py", path=sysconfig.get_path("scripts"))
    if found is None:
        sys.exit(
            f"error: componentize-py is not installed beside {sys.executable}: "
            "run its `-m pip install -r requirements.txt`"
        )
    return found


def _copy(project: Path, sources: Path) -> None:
    """The plugin's modules and packages."""
    sources.mkdir()
    for part in project.iterdir():
        if part.name.startswith(".") or part.name in _NOT_SOURCE:
            continue
        if part.is_dir():
            shutil.copytree(part, sources / part.name, ignore=shutil.ignore_patterns(*_NOT_SOURCE))
        elif part.suffix == ".py":
            shutil.copy(part, sources)


main()
