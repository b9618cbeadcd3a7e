"""The read API: the same answers as the command line, and a problem document for everything that goes wrong."""

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.cli.filters import Filters
from api.questions import EventsQuestion
from tests.api.conftest import TOKEN, Command

MAIN = "210987654321"
KEY = "AKIATCH6YDSY5EZ6PFWP"
EVENT = "706846f8-33c3-4e14-9ab3-3d88dbf7524d"
USER = "arn:aws:iam::210987654321:user/ci-deploy"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("events", ("events",)),
        ("events?limit=7&order=oldest", ("events", "-n", "7", "--oldest")),
        ("events?principal=ci-deploy&outcome=denied", ("events", "--principal", "ci-deploy", "--denied")),
        (f"events?accessKey={KEY}&readOnly=false", ("events", "--access-key", KEY, "--changing")),
        (
            "events?sourceIP=203.0.113.0/24&from=2026-03-17T13:00&to=2026-03-17T14:00",
            (
                "events",
                "--source-ip",
                "203.0.113.0/24",
                "--from",
                "2026-03-17T13:00",
                "--to",
                "2026-03-17T14:00",
            ),
        ),
        ("events?text=AdministratorAccess", ("events", "--text", "AdministratorAccess")),
        (f"events/{EVENT}", ("event", EVENT)),
        (f"events/{MAIN}:17", ("event", f"{MAIN}:17")),
        (f"activity/{USER}?limit=20", ("activity", USER, "-n", "20")),
        ("activity/ci-deploy?order=newest", ("activity", "ci-deploy", "--newest")),
        (
            f"state?account={MAIN}&at=2026-03-17T12:00:00Z",
            ("state", "--account", MAIN, "--at", "2026-03-17T12:00"),
        ),
        (
            f"state?account={MAIN}&at=2026-03-17T12:00:00Z&kind=user&name=ci-deploy",
            ("state", "user", "ci-deploy", "--account", MAIN, "--at", "2026-03-17T12:00"),
        ),
        (
            f"diff?account={MAIN}&from=2026-03-17T13:00&to=2026-03-17T14:00",
            ("diff", "--account", MAIN, "--from", "2026-03-17T13:00", "--to", "2026-03-17T14:00"),
        ),
        (f"history/user/svc-datasync?account={MAIN}", ("history", "user", "svc-datasync", "--account", MAIN)),
        (f"keys/{KEY}", ("key", KEY)),
        (f"keys/{KEY}?since=2026-03-17T13:00", ("key", KEY, "--since", "2026-03-17T13:00")),
        (f"lineage/{USER}", ("lineage", USER)),
        ("findings", ("findings",)),
        ("principals", ("principals",)),
        ("accounts", ("accounts",)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_both_faces_give_the_same_answer(
    http: TestClient, ask: Command, path: str, words: tuple[str, ...]
) -> None:
    answered = http.get(f"/v1/{path}")
    assert answered.status_code == 200, answered.text
    assert answered.headers["content-type"] == "application/json"
    assert answered.json() == ask(*words, "--format", "json").json


def test_both_faces_have_the_same_filters() -> None:
    one_of = {"denied", "failed", "succeeded", "read_only", "changing"}
    typed = set(Filters.__dataclass_fields__) - one_of
    sent = set(EventsQuestion.model_fields) - {"outcome", "read_only", "order", "after", "limit"}
    assert typed == sent


def test_pages_follow_one_another(http: TestClient) -> None:
    first = http.get("/v1/events", params={"limit": 3}).json()
    second = http.get("/v1/events", params={"limit": 3, "after": first["next"]}).json()
    both = http.get("/v1/events", params={"limit": 6}).json()
    assert first["events"] + second["events"] == both["events"]
    assert second["next"] == both["next"]


# What is wrong


def is_problem(answered: Any, status: int) -> dict[str, Any]:
    assert answered.status_code == status, answered.text
    assert answered.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answered.json()
    assert told["status"] == status
    assert told["title"]
    assert "Traceback" not in answered.text
    return told


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/v1/events?principle=alice", 422, "principle: there is no such parameter"),
        ("/v1/events?source_ip=10.0.0.1", 422, "source_ip"),
        ("/v1/events?access_key=AKIA", 422, "access_key"),
        ("/v1/events?limit=0", 422, "limit"),
        ("/v1/events?limit=1001", 422, "limit"),
        ("/v1/events?limit=many", 422, "limit"),
        ("/v1/events?from=yesterday", 422, "from: 'yesterday' is not a time"),
        ("/v1/events?from=2026-03-18&to=2026-03-17", 422, "is after"),
        ("/v1/events?sourceIP=10.0.0.0/99", 422, "sourceIP"),
        ("/v1/events?account=twelve", 422, "account"),
        ("/v1/events?after=rubbish", 422, "after"),
        ("/v1/events?outcome=odd", 422, "outcome"),
        ("/v1/events?readOnly=perhaps", 422, "readOnly"),
        ("/v1/events?order=sideways", 422, "order"),
        ("/v1/events?text=", 422, "text"),
        ("/v1/events?principal=%00", 422, "principal"),
        ("/v1/events/none", 404, "none"),
        ("/v1/events/none?limit=1", 422, "limit"),
        ("/v1/activity/nobody", 404, "nobody"),
        ("/v1/activity/ci-deploy?denied=1", 422, "denied"),
        (f"/v1/state?account={MAIN}&at=noon", 422, "noon"),
        (f"/v1/state?account={MAIN}&kind=user", 422, "name: kind and name go together"),
        ("/v1/state?account=999999999999", 404, "999999999999"),
        ("/v1/state", 422, MAIN),
        ("/v1/diff", 422, "from"),
        ("/v1/diff?from=2026-03-18&to=2026-03-17", 422, "is after"),
        (f"/v1/history/user/nobody?account={MAIN}", 404, "nobody"),
        ("/v1/keys/AKIANOBODY", 404, "AKIANOBODY"),
        ("/v1/keys/AKIANOBODY?since=soon", 422, "since"),
        ("/v1/lineage/nobody", 404, "nobody"),
        ("/v1/findings?from=x", 422, "from"),
        ("/v1/principals?account=999999999999", 404, "999999999999"),
        ("/v1/accounts?x=1", 422, "x"),
        ("/v1/nothing", 404, "/v1/nothing"),
        ("/v1/", 404, "/v1/"),
        ("/v2/events", 404, "/v2/events"),
        ("/docs", 404, "/docs"),
        ("/redoc", 404, "/redoc"),
    ],
)
def test_every_mistake_is_a_problem(http: TestClient, path: str, status: int, told: str) -> None:
    assert told in is_problem(http.get(path), status)["detail"]


def test_a_bad_parameter_is_named(http: TestClient) -> None:
    told = is_problem(http.get("/v1/events?limit=0&bogus=1"), 422)
    assert {one["parameter"] for one in told["errors"]} == {"limit", "bogus"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(http: TestClient, method: str) -> None:
    answered = http.request(method, "/v1/events")
    is_problem(answered, 405)
    assert answered.headers["allow"] == "GET"


def test_a_mistake_of_ours_tells_nothing_of_itself(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr("projections.investigation.Investigation.accounts", broken)
    assert "swordfish" not in str(is_problem(http.get("/v1/accounts"), 500))


def test_a_ledger_that_went_away_is_unavailable(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    def gone(*_: object) -> None:
        raise OperationalError("SELECT secret", {}, Exception("disk I/O error"))

    monkeypatch.setattr("projections.investigation.Investigation.accounts", gone)
    told = is_problem(http.get("/v1/accounts"), 503)
    assert "secret" not in str(told)


# Who may ask


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer nonsense",
        "Bearer \xff\xfe",
    ],
)
@pytest.mark.parametrize("path", ["/v1/events", "/v1/nothing", "/openapi.json", "/", "/docs"])
def test_nobody_learns_anything_without_the_token(http: TestClient, path: str, header: str) -> None:
    answered = http.get(path, headers={"Authorization": header.encode("latin-1")})
    is_problem(answered, 401)
    assert answered.headers["www-authenticate"].startswith("Bearer")


def test_answers_are_not_kept_on_the_way(http: TestClient) -> None:
    for path in ("/v1/accounts", "/v1/nothing"):
        assert http.get(path).headers["cache-control"] == "no-store"


# The description


def test_the_description_names_every_route_and_shape(http: TestClient) -> None:
    told = http.get("/openapi.json").json()
    document = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text()
    assert set(told["paths"]) == set(re.findall(r"`GET (/v1/[^` ]*)`", document))
    for path in told["paths"].values():
        answers = path["get"]["responses"]
        assert {"200", "401", "404", "422"} <= answers.keys()
        (content,) = answers["200"]["content"].values()
        assert content["schema"]
    assert told["security"] == [{"token": []}]


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/events?limit=50", "EventsPage"),
        (f"/v1/events/{EVENT}", "EventAnswer"),
        ("/v1/activity/ci-deploy", "ActivityPage"),
        (f"/v1/state?account={MAIN}", "StateAnswer"),
        (f"/v1/keys/{KEY}", "KeyAnswer"),
        ("/v1/unknown-callers", "UnknownCallersAnswer"),
        ("/v1/lineage/ci-deploy", "LineageAnswer"),
    ],
)
def test_answers_have_the_shape_that_is_described(http: TestClient, path: str, shape: str) -> None:
    import api.answers

    getattr(api.answers, shape).model_validate(http.get(path).json())


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        (f"/v1/diff?account={MAIN}&from=2026-03-17&to=2026-03-18", "DifferenceLine"),
        (f"/v1/history/user/svc-datasync?account={MAIN}", "HistoryAnswer"),
        ("/v1/findings", "Finding"),
        ("/v1/principals", "PrincipalLine"),
        ("/v1/accounts", "AccountLine"),
    ],
)
def test_lists_have_the_shape_that_is_described(http: TestClient, path: str, shape: str) -> None:
    import api.answers

    found = http.get(path).json()
    assert found
    for one in found:
        getattr(api.answers, shape).model_validate(one)
