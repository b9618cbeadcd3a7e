"""docs/services.md says which permission each question needs, as it is."""

from pathlib import Path

from api.guard.rules import Rule
from api.reading_permissions import RULES

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "services.md").read_text()


def test_every_permission_is_documented() -> None:
    rows = [line for line in DOCUMENT.splitlines() if line.startswith("| `/")]
    for rule in RULES:
        assert isinstance(rule, Rule)
        path, name = rule.path.replace(":path", ""), rule.action.partition(":")[2]
        (row,) = (it for it in rows if f"`{path}`" in it)
        questions, permissions = (cell.split(", ") for cell in row.strip("| ").split(" | "))
        at = questions.index(f"`{path}`")
        told = permissions[at].strip("`").partition("` on")[0]
        assert told.removeprefix("iam-ledger:") == name
