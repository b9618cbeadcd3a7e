"""Tampering with what is logged, and the gaps it left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ledger.entry import Entry
from ledger.log.schema import entries
from ledger.record import format_time
from projections.findings.evidence import Evidence, Finding, by, one

START, STOP = "cloudtrail:StartLogging", "cloudtrail:StopLogging"
CREATE, UPDATE, DELETE = "cloudtrail:CreateTrail", "cloudtrail:UpdateTrail", "cloudtrail:DeleteTrail"
SELECT = "cloudtrail:PutEventSelectors"
TRAIL_CHANGES = (START, STOP, CREATE, UPDATE, DELETE, SELECT)
STORE_CHANGES = (
    "cloudtrail:PutInsightSelectors",
    "cloudtrail:PutEventConfiguration",
    "cloudtrail:DeleteEventDataStore",
    "cloudtrail:UpdateEventDataStore",
    "cloudtrail:StopEventDataStoreIngestion",
    "cloudtrail:StartEventDataStoreIngestion",
    "cloudtrail:DeleteChannel",
    "cloudtrail:UpdateChannel",
)
HARMFUL = (STOP, DELETE, "cloudtrail:DeleteEventDataStore", "cloudtrail:StopEventDataStoreIngestion")
WATCHERS_OFF = (
    "config:StopConfigurationRecorder",
    "config:DeleteConfigurationRecorder",
    "config:DeleteDeliveryChannel",
    "guardduty:DeleteDetector",
    "guardduty:UpdateDetector",
    "guardduty:StopMonitoringMembers",
    "guardduty:DisassociateFromAdministratorAccount",
    "guardduty:DisassociateFromMasterAccount",
    "securityhub:DisableSecurityHub",
    "access-analyzer:DeleteAnalyzer",
    "macie2:DisableMacie",
    "inspector2:Disable",
    "ec2:DeleteFlowLogs",
    "logs:DeleteLogGroup",
    "logs:DeleteLogStream",
)

EVERYTHING = "everything"
GLOBAL = "global services"
MANAGEMENT = "management events"
DATA = "data events"
REGIONS = "regions other than "  # followed by the trail's own


def changed(evidence: Evidence) -> Iterator[Finding]:
    """Question 35: who changed what CloudTrail logs, or tried to? Source: AWS's incident response guides, Sigma,
    Stratus's defense-evasion, Panther. Changes for the better are told as well (`info`), for they end the gaps.
    """
    for entry in evidence.calls(*TRAIL_CHANGES, *STORE_CHANGES, succeeded=None):
        failed = not entry.record.succeeded
        lost = _lost(entry)
        severity = "medium" if failed else "high" if lost or entry.record.action in HARMFUL else "info"
        name = entry.record.action.partition(":")[2]
        yield Finding(
            severity,
            f"{name} was refused" if failed else f"{name} on {_trail(entry) or 'CloudTrail'}",
            _trail(entry) or entry.record.identity.label,
            [entry],
            {
                **by(evidence, entry),
                "trail": _trail(entry),
                "succeeded": not failed,
                "error": entry.record.error_code,
                "noLongerLogged": sorted(lost),
            },
        )


@dataclass(slots=True)
class _Gap:
    what: str
    begin: Entry
    end: Entry | None = None


def gaps(evidence: Evidence) -> Iterator[Finding]:
    """Question 35: from when to when was what not logged, by the changes to each trail that the log shows?

    A trail stopped or deleted loses everything until it is started or made again; one that leaves other regions,
    global services, or management or data events out loses those until they are taken in again. Data events are
    missed only where the trail is seen to log them, earlier or later: most trails never do. Another trail may have
    logged what one missed: `entriesMeanwhile` tells how many entries the account's log has from that time.
    """
    trails: dict[tuple[str, str], list[Entry]] = {}
    for entry in evidence.calls(*TRAIL_CHANGES):
        if (trail := _trail(entry)) is not None:
            trails.setdefault((entry.account_id, trail), []).append(entry)
    found = [(account, trail, gap) for (account, trail), calls in trails.items() for gap in _gaps(calls)]
    found.sort(key=lambda item: (item[2].begin.time, item[2].begin.position, item[2].what))
    for account, trail, gap in found:
        yield Finding(
            "high",
            f"{trail} did not log {gap.what}",
            trail,
            [entry for entry in (gap.begin, gap.end) if entry is not None],
            {
                **by(evidence, gap.begin),
                "trail": trail,
                "what": gap.what,
                "from": format_time(gap.begin.time),
                "to": format_time(gap.end.time) if gap.end else None,
                "began": one(gap.begin),
                "ended": one(gap.end),
                "entriesMeanwhile": _entries_between(evidence, account, gap),
            },
        )


def _gaps(calls: Sequence[Entry]) -> list[_Gap]:
    """The gaps of one trail, from its changes in order of time."""
    logs_data = any(DATA in _gained(entry) for entry in calls)
    open_gaps: dict[str, _Gap] = {}
    found: list[_Gap] = []
    for entry in calls:
        for what in _lost(entry):
            if what not in open_gaps and (what != DATA or logs_data):
                open_gaps[what] = _Gap(what, entry)
                found.append(open_gaps[what])
        for gap in [gap for what, gap in open_gaps.items() if _same(what, _gained(entry))]:
            gap.end = entry
            del open_gaps[gap.what]
    return found


def _same(what: str, gained: set[str]) -> bool:
    return what in gained or (what.startswith(REGIONS) and REGIONS in gained)


def _lost(entry: Entry) -> set[str]:
    """What the trail logs no longer after a successful call."""
    if not entry.record.succeeded:
        return set()
    request = entry.record.request
    match entry.record.action:
        case "cloudtrail:StopLogging" | "cloudtrail:DeleteTrail":
            return {EVERYTHING}
        case "cloudtrail:UpdateTrail":
            lost = set()
            if request.get("isMultiRegionTrail") is False:
                lost.add(REGIONS + str(entry.document.get("awsRegion")))
            if request.get("includeGlobalServiceEvents") is False:
                lost.add(GLOBAL)
            return lost
        case "cloudtrail:PutEventSelectors":
            return {MANAGEMENT, DATA} - _selected(request)
    return set()


def _gained(entry: Entry) -> set[str]:
    """What the trail logs from a successful call on."""
    if not entry.record.succeeded:
        return set()
    request = entry.record.request
    match entry.record.action:
        case "cloudtrail:StartLogging":
            return {EVERYTHING}
        case "cloudtrail:UpdateTrail" | "cloudtrail:CreateTrail":
            gained = set()
            if request.get("isMultiRegionTrail") is True:
                gained.add(REGIONS)
            if request.get("includeGlobalServiceEvents") is True:
                gained.add(GLOBAL)
            return gained
        case "cloudtrail:PutEventSelectors":
            return _selected(request)
    return set()


def _selected(request: Mapping[str, Any]) -> set[str]:
    """Which of management and data events the selectors let through; management only where all of them are."""
    selected: set[str] = set()
    for selector in _list(request.get("eventSelectors")):
        if selector.get("includeManagementEvents", True) and selector.get("readWriteType", "All") == "All":
            selected.add(MANAGEMENT)
        if _list(selector.get("dataResources")):
            selected.add(DATA)
    for selector in _list(request.get("advancedEventSelectors")):
        fields = {field.get("field"): field for field in _list(selector.get("fieldSelectors"))}
        category = fields.get("eventCategory", {}).get("equals") or []
        if "Management" in category and len(fields) == 1:
            selected.add(MANAGEMENT)
        if "Data" in category:
            selected.add(DATA)
    return selected


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _trail(entry: Entry) -> str | None:
    """The trail that a call is about, by its name: calls name it by ARN or by name."""
    request, response = entry.record.request, entry.record.response
    named = response.get("trailARN") or request.get("trailName") or request.get("name")
    return str(named).rpartition(":trail/")[2] if named else None


def _entries_between(evidence: Evidence, account: str, gap: _Gap) -> int:
    e = entries.c
    query = sa.select(sa.func.count()).where(
        e.account == evidence.account_numbers[account], e.time > gap.begin.time
    )
    if gap.end is not None:
        query = query.where(e.time < gap.end.time)
    return int(evidence.connection.execute(query).scalar_one())


def watchers_turned_off(evidence: Evidence) -> Iterator[Finding]:
    """Question 35: who turned off what else watches: Config, GuardDuty, Security Hub, flow logs, log groups?

    Source: Stratus's defense-evasion, Sigma, Panther.
    """
    for entry in evidence.calls(*WATCHERS_OFF, succeeded=None):
        if (
            entry.record.action == "guardduty:UpdateDetector"
            and entry.record.request.get("enable") is not False
        ):
            continue
        service, _, name = entry.record.action.partition(":")
        failed = not entry.record.succeeded
        yield Finding(
            "medium" if failed or service in ("logs", "ec2") else "high",
            f"{name} of {service} was refused" if failed else f"{name} of {service}",
            entry.record.identity.label,
            [entry],
            {
                **by(evidence, entry),
                "action": entry.record.action,
                "succeeded": not failed,
                "error": entry.record.error_code,
            },
        )
