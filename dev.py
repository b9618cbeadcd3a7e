"""Set up, try and check iam-ledger with nothing but Python 3.11 and pip.

python3 dev.py demo [ARGUMENT ...]   set up, then run `iam-ledger demo`
python3 dev.py test [ARGUMENT ...]   set up, then every check and pytest; arguments go to pytest
python3 dev.py reliability [R6 ...]  set up, then the battery of crashes and faults in full; -h tells more
python3 dev.py setup                 only make .venv with what is needed to run
python3 dev.py pin [--upgrade]       write requirements/*.txt anew from pyproject.toml
"""

from __future__ import annotations  # so that an older Python gets as far as the sentence in main

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PROGRAMS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = PROGRAMS / ("python.exe" if os.name == "nt" else "python")
REQUIREMENTS = ROOT / "requirements"

RUN = ("build", "runtime")
TEST = (*RUN, "test")
CHECKS = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy",),
    ("lint-imports", "--no-logo"),
)


def main(arguments: Sequence[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - somebody may well try
        print(f"iam-ledger needs Python 3.11 or newer; this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("", ())
    if verb == "demo":
        return set_up(RUN) or run(PROGRAMS / "iam-ledger", "demo", *rest)
    if verb == "test":
        return set_up(TEST) or check() or run(PROGRAMS / "pytest", *side_by_side(rest), *rest)
    if verb == "reliability":
        return set_up(TEST) or run(PYTHON, "-m", "tests.reliability", *rest)
    if verb == "setup" and not rest:
        return set_up(RUN)
    if verb == "pin":
        return set_up(RUN) or pin(rest)
    asked = verb in ("-h", "--help")
    print(__doc__, file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


def check() -> int:
    """Run the checks that are not tests, in order; the first failure's status, or 0."""
    for words in CHECKS:
        if status := run(PROGRAMS / words[0], *words[1:]):
            return status
    return 0


def side_by_side(arguments: Sequence[str]) -> list[str]:
    """Two pytest workers, unless the caller chose a number, debugs, or has only one processor."""
    chosen = any(word.startswith(("-n", "--numprocesses", "--pdb", "--trace")) for word in arguments)
    return [] if chosen or (os.cpu_count() or 1) < 2 else ["-n", "2"]


def set_up(names: Sequence[str]) -> int:
    """Make .venv hold the pinned packages of `names` and the project; do nothing where it already does."""
    stamp, wanted = VENV / f"set-up-{names[-1]}", digest(names)
    if stamp.is_file() and stamp.read_text() == wanted and PYTHON.exists():
        return 0

    began = time.monotonic()
    print(f"Setting up {VENV.name} ...", flush=True)
    if status := make_environment():
        return status
    for old in VENV.glob("set-up-*"):
        old.unlink()  # half an installation must not look like a whole one
    if status := install(names):
        return status
    for known in (RUN, names):
        (VENV / f"set-up-{known[-1]}").write_text(digest(known))
    print(f"Set up in {time.monotonic() - began:.0f} s.", flush=True)
    return 0


def digest(names: Sequence[str]) -> str:
    """What an installation depends on."""
    content = hashlib.sha256(made_for().encode())
    for path in (ROOT / "pyproject.toml", REQUIREMENTS / "uv.txt", *map(pins_of, names)):
        content.update(hashlib.sha256(path.read_bytes()).digest())
    return content.hexdigest()


def pins_of(name: str) -> Path:
    return REQUIREMENTS / f"{name}.txt"


def made_for() -> str:
    return f"Python {sys.version.split()[0]} of {sys.base_prefix}, in {ROOT}"


def make_environment() -> int:
    """An environment of this interpreter, at this place; one made for another is replaced."""
    label = VENV / "made-for"
    if PYTHON.exists() and label.is_file() and label.read_text() == made_for():
        return 0
    if VENV.exists():
        shutil.rmtree(VENV)
    if status := run(sys.executable, "-m", "venv", VENV):
        print(
            "no virtual environment could be made; on Debian: apt-get install python3-venv", file=sys.stderr
        )
        return status
    label.write_text(made_for())
    return 0


def install(names: Sequence[str]) -> int:
    """Install by uv, which is fast, or else by pip, which is there; then the project itself, in place."""
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "-qq", "install")  # only errors
    uv = (PROGRAMS / "uv", "pip", "install", "--quiet", "--python", PYTHON)
    pinned = ("--require-hashes", *(word for name in names for word in ("-r", pins_of(name))))
    project = ("--no-deps", "--no-build-isolation", "--editable", ROOT)

    if run(*pip, "--require-hashes", "-r", pins_of("uv")) == 0:
        if run(*uv, *pinned) == 0:
            return run(*uv, *project)
        print("uv could not install the packages; trying pip.", file=sys.stderr, flush=True)
    return run(*pip, *pinned) or run(*pip, *project)


def pin(arguments: Sequence[str]) -> int:
    """Resolve for every platform, with the hash of every file; pins that still fit stay as they are."""
    form = ("--universal", "--python-version=3.11", "--generate-hashes", "--quiet")
    bare = ("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links")
    consistent = ("--constraint", pins_of("runtime"))
    for name, source in (
        ("runtime", (ROOT / "pyproject.toml",)),
        ("test", ("--group", "test", *consistent)),
        ("build", ("--group", "build", *consistent)),
        ("uv", ("--group", "uv")),
    ):
        command = (PROGRAMS / "uv", "pip", "compile", *source, *form, *bare, *arguments)
        if status := run(*command, "--output-file", pins_of(name), quiet=True):
            return status
    return 0


def run(*command: str | Path, quiet: bool = False) -> int:
    """Run in the project's folder and hand back the exit status."""
    words = [str(word) for word in command]
    output = subprocess.DEVNULL if quiet else None
    try:
        return subprocess.run(words, cwd=ROOT, check=False, stdout=output).returncode
    except FileNotFoundError:
        print(f"{words[0]} is not there; remove {VENV.name} and try again", file=sys.stderr)
        return 127
    except KeyboardInterrupt:
        return 130  # the command got it too, and has said what there was to say


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - somebody may well try
        sys.exit("iam-ledger needs Python 3.11 or newer; this is " + sys.version.split()[0])
    sys.exit(main(sys.argv[1:]))
