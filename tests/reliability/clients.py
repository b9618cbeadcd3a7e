"""Clients that make signed calls to a server that may die at any moment, and remember what they were answered."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError


@dataclass(frozen=True, slots=True)
class Answered:
    """What the client was told: of which call, under which request id, with which error if any."""

    name: str
    operation: str
    request_id: str
    code: str | None
    output: dict[str, Any] = field(repr=False)


def iam_client(port: int, key: dict[str, str], service: str = "iam") -> Any:
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key.get("SessionToken"),
        config=Config(
            retries={"max_attempts": 0}, connect_timeout=5, read_timeout=60, max_pool_connections=20
        ),
    )


class Caller:
    """One client, with one call at a time. Every third call is one that was made before."""

    def __init__(self, client: Any, mark: str) -> None:
        self._client = client
        self._mark = mark
        self._numbers = count()
        self.answered: list[Answered] = []
        self.cut_off: list[str] = []  # operations whose answer never came
        self.flying = False

    def run(self, gone: threading.Event, first: threading.Event) -> None:
        """Call until the server is gone."""
        while not gone.is_set():
            name = f"{self._mark}-{next(self._numbers)}"
            key_id = ""
            for operation in (
                *("CreateUser", "TagUser", "CreateUser", "CreateAccessKey", "DeleteAccessKey"),
                *("DeleteUser", "DeleteUser"),
            ):
                given: dict[str, Any] = {"UserName": name}
                if operation == "TagUser":
                    given["Tags"] = [{"Key": "made-by", "Value": self._mark}]
                if operation == "DeleteAccessKey":
                    given["AccessKeyId"] = key_id
                told = self.call(operation, name, given)
                if told is None:
                    return
                first.set()
                if operation == "CreateAccessKey" and told.code is None:
                    key_id = told.output["AccessKey"]["AccessKeyId"]

    def call(self, operation: str, name: str, given: dict[str, Any]) -> Answered | None:
        """None where the server has gone before it answered."""
        self.flying = True
        try:
            output = self._client._make_api_call(operation, given)
            code = None
        except ClientError as error:
            output, code = dict(error.response), error.response["Error"]["Code"]
        except (
            BotoCoreError,
            ResponseParserError,
        ):  # of an answer that was cut off within its head nothing is left
            self.cut_off.append(operation)
            return None
        finally:
            self.flying = False
        told = Answered(name, operation, output["ResponseMetadata"]["RequestId"], code, output)
        self.answered.append(told)
        return told


def calling_until(
    callers: list[Caller], end: Callable[[], None], random_: random.Random, seconds_max: float
) -> bool:
    """Let all call at once; `end` the server a random while after the first answer. Whether calls were under way."""
    gone, first = threading.Event(), threading.Event()
    threads = [threading.Thread(target=caller.run, args=(gone, first), daemon=True) for caller in callers]
    for thread in threads:
        thread.start()
    if not first.wait(60):
        raise RuntimeError("nobody was answered")
    time.sleep(random_.uniform(0, seconds_max))
    under_way = any(caller.flying for caller in callers)
    end()
    gone.set()
    for thread in threads:
        thread.join(90)
    return under_way


EXPECTED: dict[str, set[str | None]] = {
    "CreateUser": {None, "EntityAlreadyExists"},
    "TagUser": {None},
    "CreateAccessKey": {None},
    "DeleteAccessKey": {None},
    "DeleteUser": {None, "NoSuchEntity"},
}


def kept_promises(callers: list[Caller], documents: list[dict[str, Any]]) -> list[str]:
    """Each answered call is one entry, with the outcome that was told, in the order of the answers; each other call is
    one at most; and none has happened twice.
    """
    wrong: list[str] = []
    place: dict[str, list[int]] = {}
    for position, document in enumerate(documents):
        if "requestID" in document:
            place.setdefault(document["requestID"], []).append(position)
    answered = 0
    for caller in callers:
        latest = -1
        for told in caller.answered:
            answered += 1
            found = place.get(told.request_id, [])
            what = f"{told.operation} of {told.name}"
            if told.code not in EXPECTED[told.operation]:
                wrong.append(f"{what} was answered with {told.code}")
            if len(found) != 1:
                wrong.append(f"{what} was answered and is {len(found)} times in the log")
                continue
            if found[0] <= latest:
                wrong.append(f"{what} stands before the call before it")
            latest = found[0]
            recorded = documents[latest].get("errorCode")
            if (recorded is None) != (told.code is None):
                wrong.append(f"{what} was answered with {told.code} and is recorded with {recorded}")
    made: dict[tuple[str, str], int] = {}
    for document in documents:
        if document["eventName"] in ("CreateUser", "DeleteUser") and "errorCode" not in document:
            which = document["eventName"], document["requestParameters"]["userName"]
            made[which] = made.get(which, 0) + 1
    wrong += [
        f"{action} of {name} succeeded {times} times" for (action, name), times in made.items() if times > 1
    ]
    return wrong
