"""Random policy cases for the fast engine and the plain evaluator to agree on.

The vocabulary is small, so that patterns, names and values meet often. What AWS's documentation and the semantics
leave open is left out: empty texts under ForAllValues, years as bare numbers, ARN patterns of fewer than six parts.
"""

from __future__ import annotations

from random import Random
from typing import Any

OWN, OTHER = "111122223333", "444455556666"
USER = f"arn:aws:iam::{OWN}:user/staff/alice"
ROLE = f"arn:aws:iam::{OWN}:role/Reader"
ROLE_WITH_PATH = f"arn:aws:iam::{OWN}:role/team/Reader"
SESSION = f"arn:aws:sts::{OWN}:assumed-role/Reader/monday"
LINKED = f"arn:aws:iam::{OWN}:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX"
LINKED_SESSION = f"arn:aws:sts::{OWN}:assumed-role/AWSServiceRoleForX/x"
FEDERATED_USER = f"arn:aws:sts::{OWN}:federated-user/fred"
ROOT = f"arn:aws:iam::{OWN}:root"
SERVICE = "ec2.amazonaws.com"
PROVIDER = f"arn:aws:iam::{OWN}:saml-provider/corp"
USER_ID, ROLE_ID = "AIDACKCEVSQ6C2EXAMPLE", "AROADBQP57FF2AEXAMPLE"

PRINCIPALS = [USER] * 6 + [SESSION] * 6 + [ROLE, ROLE_WITH_PATH, FEDERATED_USER, FEDERATED_USER]
PRINCIPALS += [ROOT, ROOT, SERVICE, "*", LINKED, LINKED_SESSION]

ACTIONS = ["s3:GetObject"] * 3 + ["s3:PutObject", "iam:CreateUser", "sts:AssumeRole", "sts:AssumeRole"]
ACTIONS += ["ec2:RunInstances"]
FREE_ACTIONS = ["sts:GetCallerIdentity", "sts:GetSessionToken"]
RESOURCES = [
    "arn:aws:s3:::home/alice/a.txt",
    "arn:aws:s3:::home/red/a.txt",
    "arn:aws:s3:::home/*/?.txt",
    f"arn:aws:sns:eu-west-1:{OWN}:news",
    f"arn:aws:sns:eu-west-1:{OTHER}:news",
    "*",
]
VARIABLE_RESOURCES = [
    "arn:aws:s3:::home/${aws:username}/*",
    "arn:aws:s3:::*/${aws:PrincipalTag/team}/a.txt",
    "arn:aws:s3:::home/${AWS:PRINCIPALTAG/team, 'red'}/*",
    "arn:aws:s3:::home/${app:Absent, 'alice'}/?.txt",
    "arn:aws:s3:::home/${*}/${?}.txt",
    "arn:aws:s3:::home/${$}*",
    "arn:aws:sns:*:*:${aws:PrincipalTag/team}*",
]

STRINGS = [
    *("red", "RED", "blue", "r*", "?ed", "*", "alice", "User", "AssumedRole", OWN, OTHER),
    *("home/*", "home/${aws:username}/*", "${aws:PrincipalTag/team}", "${aws:username}", "${app:Absent}"),
    *("${app:Absent, 'red'}", "r${*}", "${aws:PrincipalTag/TEAM}*", "${aws:TagKeys}"),
]
ARNS = [
    *(USER, ROLE, ROOT, SESSION, ROLE_WITH_PATH, f"arn:aws:iam::{OWN}:user/*", "arn:aws:iam::*:role/*Reader"),
    *("arn:*:sns:*:*:news", f"arn:aws:sns:eu-west-?:{OWN}:n*", "arn:aws:sns:${aws:PrincipalTag/team}:*:*"),
    *(
        "arn:aws:*:${aws:PrincipalAccount}:*",
        "arn:aws:iam::${aws:PrincipalAccount}:user/staff/${aws:username}",
    ),
    "arn:aws:sns:*:news:a*",
]
GIVEN_ARNS = [
    f"arn:aws:sns:eu-west-1:{OWN}:news",
    f"arn:aws:sns:eu:west:1:{OWN}:news:a",
    "arn:aws:sns:red::x:y",
]
GIVEN_ARNS += ["news"]
# What may stand in a policy, what in a request, and the keys, by the type that an operator compares.
WANTED: dict[str, list[Any]] = {
    "String": STRINGS,
    "Numeric": ["10", 10, "9.5", "100", "-5", 0],
    "Date": [
        "2024-05-01T00:00:00Z",
        "2024-05-01",
        "1714521600",
        1714525200,
        "2024-05-01T02:00:00+02:00",
        "2024-06",
    ],
    "Bool": ["true", "false", "True", True, False],
    "Binary": ["QUJD", "YWJj", "AAE="],
    "Ip": ["203.0.113.0/24", "203.0.113.9", "10.0.0.0/8", "2001:DB8::/32", "::/0", "0.0.0.0/0"],
    "Arn": ARNS,
    "Null": ["true", "false", True, False],
}
GIVEN: dict[str, list[Any]] = {
    "String": ["red", "Red", "blue", "r*", "alice", "home/alice/x", "home/", "*", "ded"],
    "Numeric": [9, "10", 10.0, 10.5, "100", -5, "many"],
    "Date": [
        "2024-04-30T23:59:59Z",
        "2024-05-01T00:00:00Z",
        1714521600,
        "1714525200",
        "2024-05-01T00:00:00.5Z",
        "soon",
    ],
    "Bool": ["true", "false", "TRUE", True, False, "yes"],
    "Binary": ["QUJD", "YWJj", "AAE=", "no base64!"],
    "Ip": ["203.0.113.9", "203.0.113.77", "10.1.2.3", "2001:db8::1", "192.0.2.1", "ec2.amazonaws.com"],
    "Arn": GIVEN_ARNS,
}
KEYS = {
    "String": ["aws:PrincipalTag/team", "s3:prefix", "aws:ResourceTag/owner", "aws:TagKeys"],
    "Numeric": ["s3:max-keys", "app:Sizes"],
    "Date": ["aws:CurrentTime", "aws:TokenIssueTime"],
    "Bool": ["aws:SecureTransport", "aws:MultiFactorAuthPresent"],
    "Binary": ["app:Digest"],
    "Ip": ["aws:SourceIp", "aws:VpcSourceIp"],
    "Arn": ["aws:SourceArn", "app:Owners"],
}
DERIVED = {
    "String": ["aws:username", "aws:PrincipalAccount", "aws:PrincipalType", "aws:ResourceAccount"],
    "Bool": ["aws:PrincipalIsAWSService"],
    "Arn": ["aws:PrincipalArn"],
}
COMPARED = ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"]
OPERATORS = {
    "String": [
        *("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
        *("StringLike", "StringNotLike"),
    ],
    "Numeric": [f"Numeric{name}" for name in COMPARED],
    "Date": [f"Date{name}" for name in COMPARED],
    "Bool": ["Bool"],
    "Binary": ["BinaryEquals"],
    "Ip": ["IpAddress", "NotIpAddress"],
    "Arn": ["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"],
    "Null": ["Null"],
}


def random_case(number: int) -> dict[str, Any]:
    """The case of that number; the same each time."""
    return Drawing(Random(number)).case()


class Drawing:
    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.who = self.of(PRINCIPALS)
        self.action = self.of(FREE_ACTIONS) if self.happens(0.03) else self.of(ACTIONS)
        self.resource = self.of(RESOURCES)
        self.trust = self.action == "sts:AssumeRole" and self.happens(0.8)
        if self.trust:
            self.resource = self.of([ROLE, f"arn:aws:iam::{OTHER}:role/Theirs"])

    def of(self, things: list[Any]) -> Any:
        return self.chance.choice(things)

    def happens(self, share: float) -> bool:
        return self.chance.random() < share

    def some(self, things: list[Any], most: int = 3) -> Any:
        """One of the things, or a list of several."""
        if self.happens(0.6):
            return self.of(things)
        return [self.of(things) for _ in range(self.chance.randint(1, most))]

    def in_some_case(self, text: str) -> str:
        return self.of([text] * 4 + [text.lower(), text.upper()])

    def case(self) -> dict[str, Any]:
        case: dict[str, Any] = {
            "principal": self.who,
            "action": self.in_some_case(self.action),
            "resource": self.resource,
            "context": self.context(),
            "identityPolicies": self.named("p", self.of([0, 1, 2, 2, 3])),
        }
        optional = {
            "permissionsBoundary": self.happens(0.25) and self.document(),
            "sessionPolicies": self.happens(0.25) and self.named("s", self.of([0, 1, 1, 2])),
            "resourcePolicy": self.happens(0.85 if self.trust else 0.45) and self.document(of_resource=True),
            "resourceAccount": self.happens(0.35) and self.of([OWN, OTHER]),
        }
        for name, value in optional.items():
            if value is not False:
                case[name] = value
            elif self.happens(0.3):
                case[name] = None
        if self.trust or self.happens(0.1):
            case["trustPolicy"] = self.trust
        if self.happens(0.35):
            case["serviceControlPolicies"] = self.levels(of_resource=False)
        if self.happens(0.3):
            case["resourceControlPolicies"] = self.levels(of_resource=True)
        if self.happens(0.03):
            self.spoil(case)
        return case

    def context(self) -> dict[str, Any]:
        context: dict[str, Any] = {}
        for kind, keys in KEYS.items():
            for key in keys:
                if self.happens(0.5):
                    several = self.happens(0.5 if key in ("aws:TagKeys", "app:Sizes", "app:Owners") else 0.08)
                    values = [self.of(GIVEN[kind]) for _ in range(self.chance.randint(0, 3))]
                    context[self.in_some_case(key)] = values if several else self.of(GIVEN[kind])
        if self.who == LINKED_SESSION:
            context["aws:PrincipalArn"] = LINKED
        if self.who == SESSION and self.happens(0.3):
            context[self.in_some_case("aws:PrincipalArn")] = self.of([ROLE, ROLE_WITH_PATH])
        if self.who == "*" and self.happens(0.5):
            context["aws:FederatedProvider"] = PROVIDER
        if self.who == USER and self.happens(0.5):
            context["aws:userid"] = self.of([USER_ID, USER_ID + "X"])
        if self.who == SESSION and self.happens(0.5):
            context["aws:userid"] = self.of([ROLE_ID, ROLE_ID + "X"]) + ":monday"
        return context

    def named(self, prefix: str, count: int) -> list[dict[str, Any]]:
        return [{"name": f"{prefix}{n}", "policy": self.document()} for n in range(count)]

    def levels(self, *, of_resource: bool) -> list[list[dict[str, Any]]]:
        """Mostly one that allows all in each level, as organizations have it, and another."""
        allow_all: dict[str, Any] = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        if of_resource:
            allow_all["Principal"] = self.of(["*", {"AWS": "*"}])
        levels = []
        for _ in range(self.chance.randint(0, 3)):
            level = [self.document(of_resource=of_resource) for _ in range(self.of([0, 0, 1, 2]))]
            if self.happens(0.8):
                level.insert(0, {"Version": "2012-10-17", "Statement": [allow_all]})
            levels.append(level)
        return levels

    def document(self, *, of_resource: bool = False) -> dict[str, Any]:
        statements = [self.statement(of_resource=of_resource) for _ in range(self.of([1, 1, 2, 3]))]
        document: dict[str, Any] = {"Statement": statements[0] if self.happens(0.1) else statements}
        version = self.of(["2012-10-17"] * 8 + ["2008-10-17", None])
        return {"Version": version, **document} if version else document

    def statement(self, *, of_resource: bool) -> dict[str, Any]:
        statement: dict[str, Any] = {"Effect": "Deny" if self.happens(0.12) else "Allow"}
        if self.happens(0.3):
            statement["Sid"] = self.of(["One", "Two", ""])
        if of_resource:
            statement["NotPrincipal" if self.happens(0.15) else "Principal"] = self.principal_element()
        excluding = self.happens(0.12)
        statement["NotAction" if excluding else "Action"] = self.some(
            self.action_patterns(near=self.happens(0.2 if excluding else 0.85))
        )
        if not (of_resource and self.happens(0.6)):
            excluding = self.happens(0.12)
            statement["NotResource" if excluding else "Resource"] = self.some(
                self.resource_patterns(near=self.happens(0.2 if excluding else 0.85))
            )
        if self.happens(0.4):
            statement["Condition"] = self.condition()
        return statement

    def principal_element(self) -> Any:
        if self.happens(0.2):
            return "*"
        own = [self.who, OWN, ROOT] if self.who not in ("*", SERVICE) else [ROOT, USER]
        own += {SESSION: [ROLE, SESSION, ROLE_WITH_PATH, ROLE_ID], USER: [USER_ID]}.get(self.who, [])
        others = [f"arn:aws:iam::{OTHER}:root", OTHER, USER, ROLE, SESSION, FEDERATED_USER, ROOT, "*"]
        others += [f"arn:aws:iam::{OWN}:user/*", USER_ID, ROLE_ID]
        names = [name for name in own if name.startswith(("arn:aws:", "A", "1"))]
        element: dict[str, Any] = {}
        if self.happens(0.85):
            # All of the own names at once, so that NotPrincipal can spare somebody.
            element["AWS"] = (
                names if self.happens(0.25) else self.some(names if self.happens(0.6) else others)
            )
        if not element or self.happens(0.2):
            element["Service"] = self.some([SERVICE, "lambda.amazonaws.com"])
        if self.happens(0.1):
            element["Federated"] = self.some([PROVIDER, "accounts.google.com"])
        if self.happens(0.05):
            element["CanonicalUser"] = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
        return element

    def action_patterns(self, *, near: bool) -> list[str]:
        action = self.action if near else self.of(ACTIONS + FREE_ACTIONS)
        service, name = action.split(":")
        return [
            *(
                action,
                self.in_some_case(action),
                f"{service}:*",
                f"{service}:{name[:3]}*",
                f"{service}:{name[:-1]}?",
            ),
            *(
                "*",
                f"*:{name[:3]}*",
                f"{service}:*{name[2:]}",
                f"{service}:{name}?",
                f"?{service[1:]}:*{name[-2:]}",
            ),
        ]

    def resource_patterns(self, *, near: bool) -> list[str]:
        if self.happens(0.25):
            return VARIABLE_RESOURCES
        resource = self.resource if near else self.of(RESOURCES)
        return [
            *("*", resource, resource[:-3] + "*", resource[:12] + "*" + resource[-4:], resource[:-1] + "?"),
            *(resource.upper(), "arn:aws:s3:::home/*", "arn:aws:*:news", "arn:*/a*"),
        ]

    def condition(self) -> dict[str, Any]:
        condition: dict[str, Any] = {}
        for _ in range(self.of([1, 1, 1, 2, 3])):
            kind = self.of(["String", "String", "String", "Arn", *OPERATORS])
            name = self.of(OPERATORS[kind])
            if kind != "Null":
                name = self.of([""] * 2 + ["ForAllValues:", "ForAnyValue:"]) + name
                name += "IfExists" if self.happens(0.25) else ""
            keys = KEYS[self.of(list(KEYS))] if kind == "Null" else KEYS[kind] + DERIVED.get(kind, [])
            values = WANTED[kind]
            several = 1 if kind == "Null" else 4
            wanted = {
                key: self.some(values, several) for key in {self.of(keys) for _ in range(self.of([1, 1, 2]))}
            }
            condition[name] = {self.in_some_case(key): wanted[key] for key in sorted(wanted)}
        return condition

    def spoil(self, case: dict[str, Any]) -> None:
        """Makes a line of it that is no case."""
        case["identityPolicies"] = self.named("p", 1)
        document = case["identityPolicies"][0]["policy"]
        document["Statement"] = [self.statement(of_resource=False)]
        statement = document["Statement"][0]
        match self.chance.randrange(9):
            case 0:
                statement["Effect"] = statement["Effect"].lower()
            case 1:
                del statement["Effect"]
            case 2:
                statement["Condition"] = {"StringEqual": {"s3:prefix": "x"}}
            case 3:
                statement["Condition"] = {"NumericEquals": {"s3:max-keys": ["1", "many"]}}
            case 4:
                statement["Condition"] = {"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}
            case 5:
                statement.update({"Action": "*", "NotAction": "iam:*"})
            case 6:
                document["Version"] = "2012-10-18"
            case 7:
                del case["action"]
            case 8:
                case["resourcePolicy"] = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
