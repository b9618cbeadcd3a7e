"""Tasks of ECS, as far as IAM is concerned: which role each acts as. A task keeps its role for as long as it runs.

A task whose role no call names is not kept. Source: Amazon ECS API reference, RunTask and StopTask; "Amazon ECS task IAM
role".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ledger.account.account import Account
from ledger.account.change import Change
from ledger.account.entities import Kind, TaskRole, Workload
from ledger.iam.deciding import Answer, Call, Moment, Question, decides
from ledger.iam.issuing import role_of_arn
from ledger.iam.operations import Rank, evolves
from ledger.iam.refusals import Refusal

DEFAULT_CLUSTER: Final = "default"
DEFAULT_REGION: Final = "us-east-1"


class InvalidTask(
    Refusal, status=400, code="InvalidParameterException", recorded="InvalidParameterException"
): ...


class ClientError(Refusal, status=400, code="ClientException", recorded="ClientException"): ...


def _definition(account: Account, call: Call) -> str:
    named = call["TaskDefinition"]
    return f"arn:aws:ecs:{DEFAULT_REGION}:{account.id}:task-definition/{named}:*"


def _the_task(account: Account, call: Call) -> str:
    task: str = call["Task"]
    return task


def passing_the_role(account: Account, call: Call) -> Iterable[Question]:
    return [("iam:PassRole", call["Overrides"]["TaskRoleArn"])]


@decides("ecs:RunTask", on=_definition, also=passing_the_role)
def decide_run_task(account: Account, call: Call, moment: Moment) -> Answer:
    """One task, whose role is told by `Overrides`. Its tag Name is the name that it goes by."""
    role_arn, cluster = call["Overrides"]["TaskRoleArn"], call.get("Cluster", DEFAULT_CLUSTER)
    if role_of_arn(account, role_arn) is None:
        raise ClientError("Role is not valid")
    task_arn = f"arn:aws:ecs:{DEFAULT_REGION}:{account.id}:task/{cluster}/{moment.fresh(16).hex()}"
    tags = [{"key": tag["Key"], "value": tag["Value"]} for tag in call.get("Tags", ())]
    request = {
        "cluster": cluster,
        "taskDefinition": call["TaskDefinition"],
        "count": 1,
        "overrides": {"taskRoleArn": role_arn},
        "tags": tags,
    }
    task = {
        "taskArn": task_arn,
        "overrides": {"taskRoleArn": role_arn},
        "lastStatus": "PROVISIONING",
        "createdAt": moment.time * 1000,
        "tags": tags,
    }
    response = {"tasks": [task], "failures": []}
    return Answer(
        {"tasks": [{"taskArn": task_arn}]},
        extra={"requestParameters": request, "responseElements": response},
    )


@evolves("ecs:RunTask", rank=Rank.CREATE)
def run_task(account: Account, change: Change) -> Account:
    asked = change.request.within("overrides").text("taskRoleArn")
    tags = change.request.pairs("tags")
    for told in change.response.each("tasks"):
        task_arn, role_arn = told.text("taskArn"), told.within("overrides").text("taskRoleArn") or asked
        if task_arn is None or role_arn is None:
            continue
        created = told.date("createdAt")
        account = account.put(
            Workload(
                id=task_arn,
                name=(tags | told.pairs("tags")).get("Name") or task_arn.rpartition("/")[2],
                create_date=change.time if created is None else created,
                created_by=change.position,
                runs_as=TaskRole(role_arn, change.position),
            )
        )
    return account


@decides("ecs:StopTask", on=_the_task)
def decide_stop_task(account: Account, call: Call, moment: Moment) -> Answer:
    there = account.workloads.get(call["Task"])
    if there is None or there.is_instance:
        raise InvalidTask("The referenced task was not found.")
    cluster = there.id.split("/")[-2]
    return Answer(
        {"task": {"taskArn": there.id}},
        extra={
            "requestParameters": {"cluster": cluster, "task": there.id},
            "responseElements": {"task": {"taskArn": there.id, "desiredStatus": "STOPPED"}},
        },
    )


@evolves("ecs:StopTask", rank=Rank.DELETE)
def stop_task(account: Account, change: Change) -> Account:
    task_arn = change.response.within("task").text("taskArn") or change.request.needed("task")
    return account.drop(Kind.WORKLOAD, task_arn)
