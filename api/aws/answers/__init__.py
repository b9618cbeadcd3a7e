"""AWS's reads that the projections answer, a file a noun. To import this package is to fill the table of readings."""

from api.aws.answers import (
    access_keys,
    authorization_details,
    credential_reports,
    events,
    last_accessed,
    trails,
)
from api.aws.answers.last_used import COMPLETED, completed
from api.aws.answers.policy_texts import as_written
from api.aws.answers.reading import READINGS, Reading

__all__ = [
    "COMPLETED",
    "READINGS",
    "Reading",
    "access_keys",
    "as_written",
    "authorization_details",
    "completed",
    "credential_reports",
    "events",
    "last_accessed",
    "trails",
]
