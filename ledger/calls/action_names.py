"""Which IAM actions an event stands for: mostly the one of its own name, and here where it is another.

Sources: the Service Authorization Reference (see `aws_actions`), held against the operations of botocore that it does
not have; for S3 "Required permissions for Amazon S3 API operations" of its user guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from ledger.policy.aws_actions import api_gateway_path, aws_action
from ledger.record import Document, Record

_API_DATE = re.compile(r"20\d\d_?\d\d_?\d\d(?:v\d+)?$")  # CreateFunction2020_05_31, AddPermission20150331v2


def actions_of(record: Record) -> tuple[str, ...]:
    """The actions that the operation needs, its main one first. What is no known action is named as the event."""
    source, name = record.service.lower(), operation_of(record)
    decide = _BY_REQUEST.get(f"{source}:{name}")
    if decide is not None:
        return decide(record.request)
    if source == "apigateway":
        return (_http_verb(record, name),)
    told = ACTIONS.get(f"{source}:{name}")
    if told is not None:
        return told
    prefixes = PREFIXES.get(source, (source,))
    found = (aws_action(f"{prefix}:{name}") for prefix in prefixes)
    return (next((it.name for it in found if it is not None), f"{prefixes[0]}:{name}"),)


def operation_of(record: Record) -> str:
    """The name of the operation, without an API date."""
    name = record.action.partition(":")[2]
    return _API_DATE.sub("", name) or name


def action_named(told: str) -> str:
    """An action spelt as policies spell it (`SNS:ListTopics` → `sns:ListTopics`); an unknown one as it is."""
    found = aws_action(told)
    return told if found is None else found.name


def api_gateway_call(record: Record) -> tuple[str, str] | None:
    """HTTP verb and path, members of the request in braces. Two interfaces of API Gateway share one event source."""
    name = operation_of(record)
    members = {member.lower() for member in record.request if isinstance(member, str)}
    first, then = (2, 1) if "apiid" in members and "restapiid" not in members else (1, 2)
    return api_gateway_path(name, version=first) or api_gateway_path(name, version=then)


def _http_verb(record: Record, name: str) -> str:
    call = api_gateway_call(record)
    if call is not None:
        return f"apigateway:{call[0]}"
    return f"apigateway:{next((verb for verb, begins in _HTTP_VERBS if name.startswith(begins)), 'POST')}"


def _versioned(plain: str, versioned: str) -> Callable[[Document], tuple[str, ...]]:
    return lambda request: (versioned if request.get("versionId") else plain,)


def _attributes(request: Document) -> tuple[str, ...]:
    if request.get("versionId"):
        return ("s3:GetObjectVersionAttributes", "s3:GetObjectVersion")
    return ("s3:GetObjectAttributes", "s3:GetObject")


def _partiql(request: Document) -> tuple[str, ...]:
    verb = str(request.get("statement", "")).split(" ", 1)[0].capitalize()
    return (f"dynamodb:PartiQL{verb if verb in ('Insert', 'Update', 'Delete') else 'Select'}",)


def _transaction(request: Document) -> tuple[str, ...]:
    items = request.get("transactItems")
    parts = [it for it in items if isinstance(it, Mapping)] if isinstance(items, list) else []
    kinds = dict.fromkeys(_TRANSACTED.get(str(kind).lower()) for part in parts for kind in part)
    return tuple(kind for kind in kinds if kind) or ("dynamodb:PutItem",)


_HTTP_VERBS: Final = (
    ("GET", ("Get",)),
    ("PATCH", ("Update",)),
    ("DELETE", ("Delete", "Untag")),
    ("PUT", ("Put", "Tag")),
)
_TRANSACTED: Final = {
    "put": "dynamodb:PutItem",
    "update": "dynamodb:UpdateItem",
    "delete": "dynamodb:DeleteItem",
    "conditioncheck": "dynamodb:ConditionCheckItem",
}

_BY_REQUEST: Final[dict[str, Callable[[Document], tuple[str, ...]]]] = {
    "s3:GetObject": _versioned("s3:GetObject", "s3:GetObjectVersion"),
    "s3:HeadObject": _versioned("s3:GetObject", "s3:GetObjectVersion"),
    "s3:DeleteObject": _versioned("s3:DeleteObject", "s3:DeleteObjectVersion"),
    "s3:GetObjectAcl": _versioned("s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
    "s3:PutObjectAcl": _versioned("s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
    "s3:GetObjectTagging": _versioned("s3:GetObjectTagging", "s3:GetObjectVersionTagging"),
    "s3:PutObjectTagging": _versioned("s3:PutObjectTagging", "s3:PutObjectVersionTagging"),
    "s3:DeleteObjectTagging": _versioned("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"),
    "s3:GetObjectAttributes": _attributes,
    "dynamodb:ExecuteStatement": _partiql,
    "dynamodb:BatchExecuteStatement": _partiql,
    "dynamodb:ExecuteTransaction": _partiql,
    "dynamodb:TransactWriteItems": _transaction,
}

# ---- event sources that are no prefixes of IAM, or share one source among several

PREFIXES: Final[dict[str, tuple[str, ...]]] = {
    "agreement-marketplace": ("aws-marketplace",),
    "api": ("pricing",),  # api.pricing.amazonaws.com
    "autoscaling": ("autoscaling", "application-autoscaling", "autoscaling-plans"),
    "awsssoportal": ("sso",),
    "catalog": ("aws-marketplace",),
    "cloudcontrolapi": ("cloudformation",),
    "discovery-marketplace": ("aws-marketplace",),
    "email": ("ses",),
    "entitlement": ("aws-marketplace",),
    "iot-jobs-data": ("iotjobsdata",),
    "iotdata": ("iot",),
    "keyspaces": ("cassandra",),
    "marketplace": ("aws-marketplace",),
    "metering-marketplace": ("aws-marketplace",),
    "models": ("lex",),
    "mturk-requester": ("mechanicalturk",),
    "opensearch": ("es", "opensearch"),
    "pinpoint": ("mobiletargeting",),
    "rdsdata": ("rds-data",),
    "runtime": ("lex", "sagemaker"),
    "s3": ("s3", "s3express", "s3-outposts", "s3-object-lambda"),
    "servicecatalog-appregistry": ("servicecatalog",),
    "sso": ("sso", "sso-directory", "identitystore"),
    "streams": ("dynamodb",),
    "tagging": ("tag",),
    "transcribestreaming": ("transcribe",),
}

# ---- operations that need an action of another name


def _s3_configurations() -> dict[str, tuple[str, ...]]:
    """Deleting a bucket's configuration needs the right to put it, and listing them the right to get one."""
    found: dict[str, tuple[str, ...]] = {}
    for kind in ("Analytics", "IntelligentTiering", "Inventory", "Metrics"):
        for verb, right in (("Get", "Get"), ("List", "Get"), ("Put", "Put"), ("Delete", "Put")):
            ending = "Configurations" if verb == "List" else "Configuration"
            found[f"s3:{verb}Bucket{kind}{ending}"] = (f"s3:{right}{kind}Configuration",)
    for kind in ("Accelerate", "Encryption", "Lifecycle", "Replication"):
        for verb, right in (("Get", "Get"), ("Put", "Put"), ("Delete", "Put")):
            for ending in ("", "Configuration"):
                found[f"s3:{verb}Bucket{kind}{ending}"] = (f"s3:{right}{kind}Configuration",)
    for kind, right in (
        ("Cors", "CORS"),
        ("OwnershipControls",) * 2,
        ("Tagging",) * 2,
        ("PublicAccessBlock",) * 2,
    ):
        found[f"s3:DeleteBucket{kind}"] = (f"s3:PutBucket{right}",)
    for verb in ("Create", "Delete", "Get"):
        found[f"s3:{verb}BucketMetadataConfiguration"] = (f"s3:{verb}BucketMetadataTableConfiguration",)
    return found


def _renamed(text: str) -> dict[str, tuple[str, ...]]:
    """Lines of `service: Operation Action`, or of several actions joined by `+`."""
    found = {}
    for line in text.split("\n"):
        source, _, rest = line.strip().partition(": ")
        if rest:
            name, actions = rest.split()
            found[f"{source}:{name}"] = tuple(
                it if ":" in it else f"{source}:{it}" for it in actions.split("+")
            )
    return found


ACTIONS: Final[dict[str, tuple[str, ...]]] = _s3_configurations() | _renamed("""
    s3: CompleteMultipartUpload PutObject
    s3: CopyObject PutObject
    s3: CreateMultipartUpload PutObject
    s3: CreateSession s3express:CreateSession
    s3: DeleteObjects DeleteObject
    s3: DeletePublicAccessBlock PutBucketPublicAccessBlock
    s3: DeleteAccountPublicAccessBlock PutAccountPublicAccessBlock
    s3: GetBucketNotificationConfiguration GetBucketNotification
    s3: GetObjectLockConfiguration GetBucketObjectLockConfiguration
    s3: GetPublicAccessBlock GetBucketPublicAccessBlock
    s3: HeadBucket ListBucket
    s3: InitiateMultipartUpload PutObject
    s3: ListBuckets ListAllMyBuckets
    s3: ListDirectoryBuckets s3express:ListAllMyDirectoryBuckets
    s3: ListMultipartUploads ListBucketMultipartUploads
    s3: ListObjectVersions ListBucketVersions
    s3: ListObjects ListBucket
    s3: ListObjectsV2 ListBucket
    s3: ListParts ListMultipartUploadParts
    s3: PutBucketNotificationConfiguration PutBucketNotification
    s3: PutObjectLockConfiguration PutBucketObjectLockConfiguration
    s3: PutPublicAccessBlock PutBucketPublicAccessBlock
    s3: SelectObjectContent GetObject
    s3: UploadPart PutObject
    s3: UploadPartCopy PutObject
    s3: WriteGetObjectResponse s3-object-lambda:WriteGetObjectResponse
    access-analyzer: GetFindingV2 GetFinding
    access-analyzer: ListFindingsV2 ListFindings
    bedrock: Converse InvokeModel
    bedrock: ConverseStream InvokeModelWithResponseStream
    bedrock: RetrieveAndGenerateStream RetrieveAndGenerate
    bedrock: StartAsyncInvoke InvokeModel
    budgets: CreateBudget ModifyBudget
    budgets: CreateNotification ModifyBudget
    budgets: CreateSubscriber ModifyBudget
    budgets: DeleteBudget ModifyBudget
    budgets: DeleteNotification ModifyBudget
    budgets: DeleteSubscriber ModifyBudget
    budgets: DescribeBudget ViewBudget
    budgets: DescribeBudgetPerformanceHistory ViewBudget
    budgets: DescribeBudgets ViewBudget
    budgets: DescribeNotificationsForBudget ViewBudget
    budgets: DescribeSubscribersForNotification ViewBudget
    budgets: UpdateBudget ModifyBudget
    budgets: UpdateNotification ModifyBudget
    budgets: UpdateSubscriber ModifyBudget
    cassandra: CreateKeyspace Create
    cassandra: CreateTable Create
    cassandra: DeleteKeyspace Drop
    cassandra: DeleteTable Drop
    cassandra: GetKeyspace Select
    cassandra: GetTable Select
    cassandra: ListKeyspaces Select
    cassandra: ListTables Select
    cassandra: UpdateTable Alter
    cloudfront: CreateDistributionWithTags CreateDistribution+TagResource
    dynamodb: TransactGetItems GetItem
    kms: ReEncrypt ReEncryptFrom+ReEncryptTo
    lambda: GetLayerVersionByArn GetLayerVersion
    lambda: Invoke InvokeFunction
    lambda: InvokeWithResponseStream InvokeFunction
    sns: PublishBatch Publish
    sqs: ChangeMessageVisibilityBatch ChangeMessageVisibility
    sqs: DeleteMessageBatch DeleteMessage
    sqs: SendMessageBatch SendMessage
""")
"""Event, and the actions that it needs; every one of them is in the reference, which a test holds."""
