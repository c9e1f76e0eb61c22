"""Say what is missing on this machine, and the exact line that installs it. Needs no package."""

import ctypes.util
import importlib.util
import shutil
import sys

missing = [name for name in ("git", "make") if shutil.which(name) is None]
if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
    missing.append(f"python3.{sys.version_info.minor}-venv")
if not ((3, 11) <= sys.version_info[:2] <= (3, 13)):
    version = ".".join(map(str, sys.version_info[:2]))
    rule = f"Python must be 3.11, 3.12 or 3.13. Received: {version} at {sys.executable}."
    sys.exit(f"{rule} Name another one, e.g.: make PYTHON=python3.12 demo")
if ctypes.util.find_library("stdc++") is None:
    missing.append("libstdc++6")
if missing:
    sys.exit(f"Missing: {', '.join(missing)}. Run: sudo apt-get install -y {' '.join(missing)}")
