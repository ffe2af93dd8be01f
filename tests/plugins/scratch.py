"""An environment of its own, with the sample plugin installed from a wheel. No network."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*command, env=None):
    """Output of a command. Fails with its error output."""
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def scratch_environment(folder: Path) -> str:
    """The interpreter of a fresh environment that sees this one's packages and this checkout, and has the sample."""
    source = shutil.copytree(ROOT / "tests/sample_plugin", folder / "source")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index"]
    run(*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    venv.create(folder / "env", with_pip=False)
    (packages,) = (folder / "env/lib").glob("python*/site-packages")
    installed = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "host.pth").write_text("\n".join([*installed, str(ROOT)]))
    python = str(folder / "env/bin/python")
    (wheel,) = folder.glob("trellis_sample-*.whl")
    run(*pip, "--python", python, "install", *offline, str(wheel))
    return python
