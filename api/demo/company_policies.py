"""The policy documents of the company, with the one mistake that made the day possible."""

from api.demo.account import Document
from api.demo.whereabouts import MAIN, PROD_DATA


def _allow(action: str | list[str], resource: str | list[str] = "*", sid: str | None = None) -> Document:
    return ({"Sid": sid} if sid else {}) | {"Effect": "Allow", "Action": action, "Resource": resource}


def _policy(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _bucket(name: str) -> list[str]:
    return [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]


_PLAN = _allow(["ec2:Describe*"], sid="ReadForPlan") | {
    "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}
}
_READ_IAM = _allow(
    [
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListRolePolicies",
        "iam:ListAttachedRolePolicies",
        "iam:ListInstanceProfilesForRole",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:ListPolicyVersions",
        "iam:ListAttachedGroupPolicies",
        "iam:ListGroupsForUser",
        "iam:GetUser",
    ],
    sid="ReadIdentities",
)
_STATE = _allow(
    ["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
    [*_bucket("larkspur-tfstate"), *_bucket("larkspur-artifacts")],
    sid="State",
)
_LOCK = _allow(
    ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"],
    f"arn:aws:dynamodb:us-east-1:{MAIN}:table/larkspur-tflock",
    sid="Lock",
)
_DEPLOY = _allow(
    [
        "lambda:GetFunction*",
        "lambda:ListVersionsByFunction",
        "lambda:ListFunctions",
        "lambda:UpdateFunctionCode",
    ],
    sid="Deploy",
)
_LOGS = _allow(["logs:DescribeLogGroups", "logs:ListTagsForResource"], sid="Logs")
_PASS = _allow("iam:PassRole", f"arn:aws:iam::{MAIN}:role/Larkspur*Lambda", sid="PassFunctionRoles")
# The mistake: whoever may write the policy that he is under may write himself everything.
_OWN_POLICY = _allow(
    ["iam:CreatePolicyVersion", "iam:DeletePolicyVersion"],
    f"arn:aws:iam::{MAIN}:policy/LarkspurDeploy",
    sid="KeepOwnPolicy",
)

DEPLOY_VERSIONS: dict[str, Document] = {
    "v3": _policy(_PLAN, _STATE),
    "v4": _policy(_PLAN, _STATE, _LOCK),
    "v5": _policy(_PLAN, _READ_IAM, _STATE, _LOCK, _DEPLOY),
    "v6": _policy(_PLAN, _READ_IAM, _STATE, _LOCK, _DEPLOY, _LOGS, _PASS),
    "v7": _policy(_PLAN, _READ_IAM, _STATE, _LOCK, _DEPLOY, _LOGS, _PASS, _OWN_POLICY),
}

COMPANY_POLICIES: dict[str, Document] = {
    "LarkspurDeveloper": _policy(
        _allow(
            [
                "ec2:Describe*",
                "lambda:Get*",
                "lambda:List*",
                "logs:*",
                "cloudwatch:*",
                "dynamodb:Describe*",
                "dynamodb:List*",
                "dynamodb:Query",
                "rds:Describe*",
                "elasticloadbalancing:Describe*",
                "autoscaling:Describe*",
                "health:DescribeEventAggregates",
                "ssm:DescribeInstanceInformation",
                "s3:ListAllMyBuckets",
                "s3:GetBucketLocation",
                "s3:GetBucketAcl",
                "s3:GetBucketPublicAccessBlock",
                "secretsmanager:ListSecrets",
            ],
            sid="Look",
        ),
        _allow(["s3:GetObject", "s3:PutObject", "s3:ListBucket"], _bucket("larkspur-dev-*"), sid="Work"),
        _allow(
            "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:*:{MAIN}:secret:dev/*", sid="DevSecrets"
        ),
        _allow("sts:AssumeRole", f"arn:aws:iam::{PROD_DATA}:role/LarkspurDataReader", sid="ReadData"),
    ),
    "LarkspurFinance": _policy(
        _allow(
            ["ce:Get*", "cur:Describe*", "budgets:ViewBudget", "health:DescribeEventAggregates"], sid="Costs"
        ),
        _allow(["s3:ListAllMyBuckets", "s3:GetBucketLocation"], sid="Buckets"),
        _allow(["s3:GetObject", "s3:PutObject", "s3:ListBucket"], _bucket("larkspur-finance"), sid="Books"),
    ),
    "LarkspurDeploy": DEPLOY_VERSIONS["v7"],
    "LarkspurIncidentResponse": _policy(
        _allow(
            ["iam:*", "cloudtrail:*", "ec2:*", "s3:*", "guardduty:*", "sts:*", "access-analyzer:*"],
            sid="Respond",
        ),
        _allow(["health:Describe*", "cloudwatch:*", "logs:*", "lambda:List*"], sid="Look"),
    ),
    "LarkspurAppRuntime": _policy(
        _allow(
            ["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
            [*_bucket("larkspur-shipments"), *_bucket("larkspur-labels")],
        ),
        _allow(
            ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"],
            f"arn:aws:dynamodb:*:{MAIN}:table/larkspur-*",
        ),
        _allow(["kms:Decrypt", "kms:GenerateDataKey"], f"arn:aws:kms:*:{MAIN}:key/*"),
        _allow("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:*:{MAIN}:secret:app/*"),
        _allow("ec2:DescribeTags"),
    ),
    "LarkspurPipeline": _policy(
        _allow("sts:AssumeRole", f"arn:aws:iam::{PROD_DATA}:role/LarkspurBackupOperator"),
        _allow(["s3:GetObject", "s3:ListBucket"], _bucket("larkspur-shipments")),
        _allow(["glue:Get*", "glue:StartJobRun"]),
    ),
    "LarkspurInvoicing": _policy(
        _allow(["s3:GetObject", "s3:PutObject", "s3:ListBucket"], _bucket("larkspur-finance")),
        _allow(["dynamodb:*"], f"arn:aws:dynamodb:*:{MAIN}:table/larkspur-invoices"),
        _allow(["kms:Decrypt", "kms:GenerateDataKey"], f"arn:aws:kms:*:{MAIN}:key/*"),
        _allow("ses:SendRawEmail"),
    ),
    "LarkspurTracking": _policy(
        _allow(["dynamodb:*"], f"arn:aws:dynamodb:*:{MAIN}:table/larkspur-tracking"),
        _allow(["s3:GetObject", "s3:PutObject"], _bucket("larkspur-shipments")),
    ),
    "LarkspurReporting": _policy(
        _allow(
            ["s3:GetObject", "s3:ListBucket"], [*_bucket("larkspur-reports"), *_bucket("larkspur-shipments")]
        ),
        _allow(
            [
                "athena:StartQueryExecution",
                "athena:GetQueryExecution",
                "athena:GetQueryResults",
                "glue:GetTable",
            ]
        ),
    ),
    "LarkspurAuditRead": _policy(
        _allow(
            [
                "iam:Get*",
                "iam:List*",
                "cloudtrail:Describe*",
                "cloudtrail:GetTrailStatus",
                "s3:ListAllMyBuckets",
            ]
        ),
        _allow(["s3:GetObject", "s3:ListBucket"], _bucket("larkspur-finance")),
    ),
    "LarkspurBackupBoundary": _policy(
        _allow(["backup:*", "s3:*", "ec2:CreateSnapshot", "ec2:DescribeVolumes", "ec2:DescribeSnapshots"]),
    ),
    "LarkspurGuardrail": _policy(
        {
            "Sid": "KeepTheRecords",
            "Effect": "Deny",
            "Action": ["cloudtrail:DeleteTrail", "organizations:LeaveOrganization", "account:CloseAccount"],
            "Resource": "*",
        },
    ),
}

MANAGE_OWN = _policy(
    _allow(
        [
            "iam:CreateAccessKey",
            "iam:DeleteAccessKey",
            "iam:UpdateAccessKey",
            "iam:ListAccessKeys",
            "iam:EnableMFADevice",
            "iam:ResyncMFADevice",
            "iam:ListMFADevices",
            "iam:GetUser",
            "iam:GetLoginProfile",
        ],
        [f"arn:aws:iam::{MAIN}:user/${{aws:username}}"],
        sid="OwnCredentials",
    ),
    _allow("iam:CreateVirtualMFADevice", f"arn:aws:iam::{MAIN}:mfa/*", sid="OwnDevice"),
)

# Name: policy id, version, document, word for word AWS's own but for the last.
MANAGED_POLICIES: dict[str, tuple[str, str, Document]] = {
    "AdministratorAccess": (
        "ANPAIWMBCKSKIEE64ZLYK",
        "v1",
        _policy({"Effect": "Allow", "Action": "*", "Resource": "*"}),
    ),
    "IAMUserChangePassword": (
        "ANPAJ4L4MM2A7QIEB56MS",
        "v5",
        _policy(
            {
                "Effect": "Allow",
                "Action": ["iam:ChangePassword"],
                "Resource": ["arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::*:user/*/${aws:username}"],
            },
            {"Effect": "Allow", "Action": ["iam:GetAccountPasswordPolicy"], "Resource": "*"},
        ),
    ),
    "AmazonSSMManagedInstanceCore": (
        "ANPAIXSHM2BNB2D3AXXRU",
        "v2",
        _policy(
            {
                "Effect": "Allow",
                "Action": [
                    "ssm:DescribeAssociation",
                    "ssm:GetDeployablePatchSnapshotForInstance",
                    "ssm:GetDocument",
                    "ssm:DescribeDocument",
                    "ssm:GetManifest",
                    "ssm:GetParameter",
                    "ssm:GetParameters",
                    "ssm:ListAssociations",
                    "ssm:ListInstanceAssociations",
                    "ssm:PutInventory",
                    "ssm:PutComplianceItems",
                    "ssm:PutConfigurePackageResult",
                    "ssm:UpdateAssociationStatus",
                    "ssm:UpdateInstanceAssociationStatus",
                    "ssm:UpdateInstanceInformation",
                ],
                "Resource": "*",
            },
            {
                "Effect": "Allow",
                "Action": [
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                ],
                "Resource": "*",
            },
            {
                "Effect": "Allow",
                "Action": [
                    "ec2messages:AcknowledgeMessage",
                    "ec2messages:DeleteMessage",
                    "ec2messages:FailMessage",
                    "ec2messages:GetEndpoint",
                    "ec2messages:GetMessages",
                    "ec2messages:SendReply",
                ],
                "Resource": "*",
            },
        ),
    ),
    "CloudWatchAgentServerPolicy": (
        "ANPAJ6MCOUJFXOXCUDGJM",
        "v3",
        _policy(
            {
                "Sid": "CWACloudWatchServerPermissions",
                "Effect": "Allow",
                "Action": [
                    "cloudwatch:PutMetricData",
                    "ec2:DescribeVolumes",
                    "ec2:DescribeTags",
                    "logs:PutLogEvents",
                    "logs:PutRetentionPolicy",
                    "logs:DescribeLogStreams",
                    "logs:DescribeLogGroups",
                    "logs:CreateLogStream",
                    "logs:CreateLogGroup",
                    "xray:PutTraceSegments",
                    "xray:PutTelemetryRecords",
                    "xray:GetSamplingRules",
                    "xray:GetSamplingTargets",
                    "xray:GetSamplingStatisticSummaries",
                ],
                "Resource": "*",
            },
            {
                "Sid": "CWASSMServerPermissions",
                "Effect": "Allow",
                "Action": ["ssm:GetParameter"],
                "Resource": "arn:aws:ssm:*:*:parameter/AmazonCloudWatch-*",
            },
        ),
    ),
    "service-role/AWSLambdaBasicExecutionRole": (
        "ANPAJNCQGXC42545SKXIK",
        "v1",
        _policy(
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": "*",
            }
        ),
    ),
    # Shortened: the original names some 900 actions, all of them reads.
    "aws-service-role/AWSConfigServiceRolePolicy": (
        "ANPAJUCWFHNZER665LLQQ",
        "v67",
        _policy(
            _allow(["ec2:Describe*", "iam:Get*", "iam:List*", "lambda:List*", "lambda:Get*", "rds:Describe*"])
        ),
    ),
}


def role_trusts(account_id: str, auditors: str) -> dict[str, Document]:
    """Who may take which role at midnight."""
    return {
        "LarkspurAppServer": trust_of({"Service": "ec2.amazonaws.com"}),
        "LarkspurOps": trust_of({"Service": "ec2.amazonaws.com"}),
        "LarkspurBreakGlass": trust_of(
            {"AWS": f"arn:aws:iam::{account_id}:root"}, {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
        ),
        "LarkspurDataPipeline": trust_of(
            {"Service": "glue.amazonaws.com", "AWS": f"arn:aws:iam::{account_id}:role/LarkspurBreakGlass"}
        ),
        "LarkspurInvoiceLambda": trust_of({"Service": "lambda.amazonaws.com"}),
        "LarkspurTrackingLambda": trust_of({"Service": ["lambda.amazonaws.com"]}),
        "LarkspurAuditReader": trust_of(
            {"AWS": auditors}, {"StringEquals": {"sts:ExternalId": "larkspur-2024"}}
        ),
        "AWSServiceRoleForConfig": trust_of({"Service": "config.amazonaws.com"}),
    }


def allow_all(sid: str | None = None) -> Document:
    return _policy(_allow("*", "*", sid))


def trust_of(principal: Document, condition: Document | None = None) -> Document:
    statement: Document = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return _policy(statement | ({"Condition": condition} if condition else {}))
