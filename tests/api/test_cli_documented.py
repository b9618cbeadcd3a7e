"""docs/cli.md says what the command has, and nothing else."""

import re
from pathlib import Path

import typer

from api.cli.main import app
from api.settings import Settings

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text()
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
EVERYWHERE = {"--help", "-h", "--db", "--version", "--format", "-n"}


def section(name: str) -> str:
    found = re.search(rf"^## [a-z, ]*\b{name}\b[a-z, ]*$(.*?)(?=^## )", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/cli.md has no section on {name}"
    return found[1]


def options(name: str) -> set[str]:
    """The options of a command, or of all commands in a group."""
    within = getattr(COMMANDS[name], "commands", {None: COMMANDS[name]}).values()
    return {word for one in within for param in one.params for word in param.opts if word.startswith("-")}


def test_every_command_and_option_is_documented() -> None:
    for name in COMMANDS:
        told = section("events") + section(name) if name == "export" else section(name)
        missing = {word for word in options(name) - EVERYWHERE if word not in told}
        short = {
            word for word in missing if word in ("--since", "--until")
        }  # other words for --from and --to
        assert missing == short, (name, missing - short)


def test_every_documented_option_is_there() -> None:
    every = {word for name in COMMANDS for word in options(name)} | EVERYWHERE | {"--max-items"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", DOCUMENT)) <= every


def test_every_setting_is_documented() -> None:
    for name in Settings.model_fields:
        assert f"IAM_LEDGER_{name.upper()}" in DOCUMENT
