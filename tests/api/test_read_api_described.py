"""The read API keeps to its own description: made-up questions to each path, each answered as OpenAPI says."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import make_app
from ledger.log import Log, open_engine
from projections.investigation import Investigation

EXAMPLES = int(os.environ.get("IAM_LEDGER_TEST_READ_QUESTIONS", "10"))  # to each path
TOKEN = "a-token-of-the-tests"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
KINDS = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)

load_all_checks()
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def description(incident_ledger: Path) -> Iterator[schemathesis.schemas.BaseSchema]:
    log = Log(open_engine(str(incident_ledger)))
    app = make_app(Investigation(log), token=TOKEN)
    yield schemathesis.openapi.from_asgi("/openapi.json", app, headers=HEADERS)
    log.engine.dispose()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.value)
def test_answers_are_as_described(
    description: schemathesis.schemas.BaseSchema, kind: schemathesis.GenerationMode
) -> None:
    statuses: Counter[int] = Counter()
    for found in description.get_all_operations():
        operation = found.ok() if isinstance(found, Ok) else None
        assert operation is not None, found

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=kind))
        def asked(case: schemathesis.Case) -> None:
            statuses[case.call_and_validate(headers=HEADERS, checks=CHECKS).status_code] += 1

        asked()
    assert statuses[422] > 0
    if kind is schemathesis.GenerationMode.POSITIVE:
        assert statuses[200] > 0
        assert statuses[404] > 0
