"""The refusals of CloudTrail and of IAM's reports. Source: the errors of botocore's service models.

The models tell what each error means; the words of CloudTrail's messages are in no documentation, but for the one of a
trail that is not there.
"""

from __future__ import annotations

from ledger.iam.refusals import Refusal


class ReportNotPresent(
    Refusal, status=410, code="ReportNotPresent", recorded="CredentialReportNotPresentException"
): ...


class ReportExpired(
    Refusal, status=410, code="ReportExpired", recorded="CredentialReportExpiredException"
): ...


class InvalidLookupAttributes(
    Refusal,
    status=400,
    code="InvalidLookupAttributesException",
    recorded="InvalidLookupAttributesException",
): ...


class InvalidTimeRange(
    Refusal, status=400, code="InvalidTimeRangeException", recorded="InvalidTimeRangeException"
): ...


class InvalidMaxResults(
    Refusal, status=400, code="InvalidMaxResultsException", recorded="InvalidMaxResultsException"
): ...


class InvalidNextToken(
    Refusal, status=400, code="InvalidNextTokenException", recorded="InvalidNextTokenException"
): ...


class InvalidEventCategory(
    Refusal, status=400, code="InvalidEventCategoryException", recorded="InvalidEventCategoryException"
): ...


class TrailNotFound(
    Refusal, status=400, code="TrailNotFoundException", recorded="TrailNotFoundException"
): ...


class InvalidTrailName(
    Refusal, status=400, code="InvalidTrailNameException", recorded="InvalidTrailNameException"
): ...


class CloudTrailARNInvalid(
    Refusal, status=400, code="CloudTrailARNInvalidException", recorded="CloudTrailARNInvalidException"
): ...
