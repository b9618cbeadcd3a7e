"""From words to a question: the one place where a filter's text becomes a filter, for every face."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from api.moments import BadTime, read_bound, read_moment
from projections.activity import Question
from projections.vocabulary import BadFilter

LIMIT = 100
LIMIT_MAX = 1_000
WORDS_MAX = 2_000
NAMES = {"since": "from", "until": "to"}  # as people write them; `from` is no name in Python


def question(**words: Any) -> Question:
    """The question of these filters; `since` and `until` are times as people write them. Raises BadFilter."""
    given = {name: value for name, value in words.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, str):
            check_words(NAMES.get(name, name.replace("_", "-")), value)
    since, until = interval(given.pop("since", None), given.pop("until", None))
    if "account" in given:
        check_account(given["account"])
    if not 1 <= given.get("limit", LIMIT) <= LIMIT_MAX:
        raise BadFilter("limit", f"{given['limit']} is not between 1 and {LIMIT_MAX}")
    return Question(since=since, until=until, **given)


def interval(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    """Both ends in seconds since 1970; the first belongs to the interval, the last does not."""
    begin = None if since is None else bound("from", since)
    end = None if until is None else bound("to", until)
    if begin is not None and end is not None and begin > end:
        raise BadFilter("from", f"{since} is after {until}")
    return begin, end


def moments(since: str, until: str) -> tuple[int, int]:
    """Two times at which the account is looked at, the earlier one first."""
    begin, end = moment("from", since), moment("to", until)
    if begin > end:
        raise BadFilter("from", f"{since} is after {until}")
    return begin, end


def bound(name: str, text: str) -> int:
    try:
        return read_bound(text)
    except BadTime as error:
        raise BadFilter(name, str(error)) from error


def moment(name: str, text: str) -> int:
    try:
        return read_moment(text)
    except BadTime as error:
        raise BadFilter(name, str(error)) from error


def check_account(account: str) -> str:
    if not (account.isascii() and account.isdigit() and len(account) <= 12):
        raise BadFilter("account", f"{account[:60]!r} is not an account id, which is twelve digits")
    return account


def check_words(name: str, text: str) -> str:
    """Refuse what no database can look for."""
    if not text.strip():
        raise BadFilter(name, "is empty; leave it out to ask for all")
    if len(text) > WORDS_MAX:
        raise BadFilter(name, f"has {len(text)} characters; {WORDS_MAX} are the most")
    if "\x00" in text or not _is_unicode(text):
        raise BadFilter(name, f"{text[:60]!r} is not text")
    return text


def the_action(text: str) -> str:
    """An action, `service:Name`, as a question names it; patterns are none."""
    check_words("action", text)
    service, colon, name = text.partition(":")
    if not (colon and service and name) or not text.isascii() or {" ", "*", "?"} & set(text):
        raise BadFilter("action", f"{text[:60]!r} is not of the form service:Name, like s3:GetObject")
    return text


def context_keys(told: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """`KEY=VALUE` each; a key that is given again has several values."""
    found: dict[str, tuple[str, ...]] = {}
    for one in told:
        key, equals, value = check_words("context", one).partition("=")
        if not equals or ":" not in key:
            raise BadFilter("context", f"{one[:60]!r} is not KEY=VALUE, like aws:SourceIp=192.0.2.1")
        found[key] = (*found.get(key, ()), value)
    return found


def the_resource(text: str) -> str:
    """A resource as policies name it: an ARN, in which wildcards stand for themselves, or `*`."""
    check_words("resource", text)
    if text != "*" and not (text.startswith("arn:") and text.count(":") >= 5):
        raise BadFilter("resource", f"{text[:60]!r} is neither an ARN, like arn:aws:s3:::bucket/key, nor *")
    return text


def when(at: str | None, since: str | None, until: str | None, *, now: int) -> dict[str, int | None]:
    """A second (`now`, where no time is told), or an interval, of which an end may be left out."""
    if since is None and until is None:
        return {"at": now if at is None else moment("at", at)}
    if at is not None:
        other = "from" if since is not None else "to"
        raise BadFilter("at", f"a time and an interval ({other}) exclude each other")
    begin, end = interval(since, until)
    if begin is not None and begin == end:
        raise BadFilter("to", f"{until} is where the interval begins; for one time there is at")
    return {"since": begin, "until": end}


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
