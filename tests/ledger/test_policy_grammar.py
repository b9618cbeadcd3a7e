"""Policy documents: which AWS takes, and in which words it refuses the others."""

import json
from typing import Any

import pytest

from ledger.policy.grammar import (
    MalformedPolicyDocument,
    PolicyKind,
    check_document,
    check_policy,
    check_structure,
    policy_size,
)
from tests.ledger.documents import (
    FORBIDS,
    IDENTITY,
    MANAGED,
    ORGANIZATIONS,
    RCP,
    READS,
    RESOURCE,
    SCP,
    SESSION,
    SHARES,
    SYNTAX,
    TRUST,
    TRUSTS,
    VALID,
    policy,
    refusal,
    without,
)


def when(operator: str, value: Any) -> dict[str, Any]:
    return policy({**READS, "Condition": {operator: {"aws:key": value}}})


@pytest.mark.parametrize("kind", PolicyKind)
def test_a_good_document_is_taken_and_returned(kind: PolicyKind) -> None:
    document = policy({**VALID[kind], "Sid": "One"}, Id="cd3ad3d9-2776-4ef1-a904-4c229d1642ee")
    assert check_policy(json.dumps(document), kind) == document
    check_structure(document, kind)


TAKEN: list[tuple[PolicyKind, Any]] = [
    (IDENTITY, {"Statement": READS}),
    (IDENTITY, {"Version": "2008-10-17", "Statement": [READS]}),
    (IDENTITY, {"Statement": [READS], "Version": "2012-10-17"}),
    (IDENTITY, {"Version": "2012-10-17", "Statement": READS}),
    (IDENTITY, policy({**READS, "Sid": ""}, {**READS, "Sid": ""})),
    (
        IDENTITY,
        policy({"Effect": "Deny", "NotAction": ["iam:*", "*"], "NotResource": ["*", "arn:aws:rds:*"]}),
    ),
    (IDENTITY, policy({**READS, "Action": "*:*"})),
    (IDENTITY, policy({**READS, "Resource": "arn:*:iam::*:role/x"})),
    (IDENTITY, policy({**READS, "Resource": "arn:aws:iam::${aws:PrincipalAccount}:user/${aws:username}"})),
    (IDENTITY, policy({**READS, "Resource": "arn:aws:s3:us-east-1:111122223333:accesspoint/x"})),
    (IDENTITY, policy({**READS, "Resource": ["arn:aws:iam::111122223333:root", "arn:aws:iam::*:*"]})),
    (IDENTITY, policy({**READS, "Condition": {}})),
    (IDENTITY, policy({**READS, "Condition": {"StringEquals": {"aws:username": []}, "Bool": {}}})),
    (TRUST, " \n" + json.dumps(policy(TRUSTS))),
    (TRUST, policy({**TRUSTS, "Action": ["sts:AssumeRole", "sts:TagSession", "STS:assumeRole*"]})),
    (
        TRUST,
        policy(
            {
                **TRUSTS,
                "Principal": {
                    "AWS": [
                        "*",
                        "111122223333",
                        "AIDAJQABLZS4A3QDU576Q",
                        "arn:aws:iam::111122223333:root",
                        "arn:aws-cn:iam::111122223333:role/path/name",
                        "arn:aws:sts::111122223333:assumed-role/name/session",
                        "arn:aws:sts::111122223333:federated-user/bob",
                    ],
                    "Federated": [
                        "cognito-identity.amazonaws.com",
                        "arn:aws:iam::111122223333:saml-provider/corp",
                        "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com",
                    ],
                },
                "Condition": {"StringEquals": {"cognito-identity.amazonaws.com:aud": "us-east-1:pool"}},
            }
        ),
    ),
    (RESOURCE, policy({**SHARES, "Sid": "With spaces, as S3 takes them", "Principal": "*"})),
    (RESOURCE, policy({**SHARES, "Resource": "execute-api:/stage/GET/pets"})),
    (RESOURCE, policy(without(SHARES, "Resource"))),
    (RESOURCE, policy({**SHARES, "Principal": {"CanonicalUser": "0123456789abcdef" * 4}})),
    (RESOURCE, policy({**READS, "Effect": "Deny", "NotPrincipal": {"AWS": "111122223333"}})),
    (RCP, policy({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"})),
]


@pytest.mark.parametrize(("kind", "document"), TAKEN)
def test_what_looks_odd_and_is_taken(kind: PolicyKind, document: Any) -> None:
    check_policy(document if isinstance(document, str) else json.dumps(document), kind)


# Words that were recorded from AWS


def test_resources_must_be_arns() -> None:
    for text in ("adf", "invalid resource", "", "**", "arn"):
        said = refusal(policy({**READS, "Resource": text}), MANAGED)
        assert said == (f'Resource {text} must be in ARN format or "*".', "Statement[0].Resource")


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ("arn:aws:s3", None),
        ("arn:aws", "Resource vendor must be fully qualified and cannot contain regexes."),
        ("arn:aws:s*:::b", "Resource vendor must be fully qualified and cannot contain regexes."),
        ("arn:aws::::b", "Resource vendor must be fully qualified and cannot contain regexes."),
        ("arn:b:c:d:e:f:g:h", 'Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".'),
        ("arn:b:cadfsdf", 'Partition "b" is not valid for resource "arn:b:cadfsdf:*:*:*".'),
        ("arn:bsdfdsafsad", 'Partition "bsdfdsafsad" is not valid for resource "arn:bsdfdsafsad:*:*:*:*".'),
        ("arn:s3:::example_bucket", 'Partition "s3" is not valid for resource "arn:s3:::example_bucket:*".'),
        (
            "arn:aws:s3:us-east-1::example_bucket",
            "Resource arn:aws:s3:us-east-1::example_bucket can not contain region information.",
        ),
        (
            "arn:aws:iam:us-east-1::example_bucket",
            "IAM resource arn:aws:iam:us-east-1::example_bucket cannot contain region information.",
        ),
        (
            "arn:aws:iam::111122223333:*/*",
            'IAM resource path must either be "*", root, or start with user/, federated-user/, role/, group/, '
            "instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, "
            "report/, access-report/.",
        ),
    ],
)
def test_arns_of_resources(resource: str, message: str | None) -> None:
    document = policy(READS, {**READS, "Resource": ["*", resource]})
    check_structure(document, MANAGED)
    if message is None:
        check_document(document, MANAGED)
    else:
        assert refusal(document, MANAGED) == (message, "Statement[1].Resource[1]")


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("GetObject", "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
        ("", "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
        ("s3:s3:GetObject", "Actions/Condition can contain only one colon."),
        ("a a:GetObject", "Vendor a a is not valid"),
    ],
)
def test_actions_need_their_vendor(action: str, message: str) -> None:
    assert refusal(policy({**READS, "Action": action}), IDENTITY) == (message, "Statement[0].Action")
    denied = {**without(READS, "Action"), "Effect": "Deny", "NotAction": ["s3:*", action]}
    assert refusal(policy(denied), SESSION) == (message, "Statement[0].NotAction[1]")


@pytest.mark.parametrize(
    ("kind", "document", "message", "place"),
    [
        (
            MANAGED,
            {"Statement": [READS]},
            "Policy document must be version 2012-10-17 or greater.",
            "Version",
        ),
        (
            MANAGED,
            {"Version": "2008-10-17", "Statement": [READS]},
            "Policy document must be version 2012-10-17 or greater.",
            "Version",
        ),
        (
            IDENTITY,
            policy(without(READS, "Action")),
            "Policy statement must contain actions.",
            "Statement[0].Action",
        ),
        (
            IDENTITY,
            policy({**READS, "Action": []}),
            "Policy statement must contain actions.",
            "Statement[0].Action",
        ),
        (
            IDENTITY,
            policy(without(READS, "Resource")),
            "Policy statement must contain resources.",
            "Statement[0].Resource",
        ),
        (
            IDENTITY,
            policy({**READS, "Resource": []}),
            "Policy statement must contain resources.",
            "Statement[0].Resource",
        ),
        (
            IDENTITY,
            policy({**READS, "Sid": "A"}, READS, {**READS, "Sid": "A"}),
            "Statement IDs (SID) in a single policy must be unique.",
            "Statement[2].Sid",
        ),
        (
            IDENTITY,
            policy({**READS, "Sid": "autogenerated-id"}),
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
            "[0-9A-Za-z]*",
            "Statement[0].Sid",
        ),
        (
            IDENTITY,
            policy(SHARES),
            "Policy document should not specify a principal.",
            "Statement[0].Principal",
        ),
        (
            TRUST,
            policy({**TRUSTS, "Resource": "*"}),
            "Has prohibited field Resource",
            "Statement[0].Resource",
        ),
        (
            TRUST,
            {"Statement": {**TRUSTS, "Action": "s3:GetObject"}},
            "AssumeRole policy may only specify STS AssumeRole actions.",
            "Statement.Action",
        ),
        (
            TRUST,
            policy({**TRUSTS, "Action": ["sts:AssumeRole", "*"]}),
            "AssumeRole policy may only specify STS AssumeRole actions.",
            "Statement[0].Action[1]",
        ),
        (
            TRUST,
            policy({**without(TRUSTS, "Action"), "NotAction": "sts:AssumeRole"}),
            "AssumeRole policy may only specify STS AssumeRole actions.",
            "Statement[0].NotAction",
        ),
        (
            TRUST,
            policy({**TRUSTS, "Action": "sts:GetCallerIdentity"}),
            "AssumeRole policy may only specify STS AssumeRole actions.",
            "Statement[0].Action",
        ),
        (
            TRUST,
            '{"Statement": [],}',
            "This policy contains invalid Json",
            "line 1 column 18",
        ),
        (
            TRUST,
            policy({**TRUSTS, "Principal": "*"}),
            'AssumeRolepolicy contained an invalid principal: "STAR":"*".',
            "Statement[0].Principal",
        ),
        (
            TRUST,
            policy({**TRUSTS, "Principal": {"Service": "amazonaws.com"}}),
            'Invalid principal in policy: "SERVICE":"amazonaws.com"',
            "Statement[0].Principal.Service",
        ),
        (
            TRUST,
            policy(
                {**TRUSTS, "Principal": {"AWS": ["*", "arn:aws:iam::12345678910:role/Orchestration_Role"]}}
            ),
            'Invalid principal in policy: "AWS":"arn:aws:iam::12345678910:role/Orchestration_Role"',
            "Statement[0].Principal.AWS[1]",
        ),
        (
            TRUST,
            policy({**TRUSTS, "Principal": {"AWS": []}}),
            "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: "
            "The passed in policy has a statement with no principals!",
            "Statement[0].Principal",
        ),
        *(
            (TRUST, document, message, place)
            for document, message, place in (
                (
                    policy(TRUSTS, Version="2013-10-17"),
                    "The policy must contain a valid version string",
                    "Version",
                ),
                ({"Version": "2012-10-17"}, "Missing required field Statement", "Statement"),
                (policy(), "Could not parse the policy: Statement is empty!", "Statement"),
                (
                    policy(without(TRUSTS, "Effect")),
                    "Missing required field Effect",
                    "Statement[0].Effect",
                ),
                (policy({**TRUSTS, "Effect": "allow"}), "Invalid effect: allow", "Statement[0].Effect"),
                (
                    policy(without(TRUSTS, "Action")),
                    "Missing required field Action",
                    "Statement[0].Action",
                ),
                (
                    policy({**TRUSTS, "Principal": {}}),
                    "Missing required field Principal cannot be empty!",
                    "Statement[0].Principal",
                ),
                (
                    policy({**TRUSTS, "NotResource": "*"}),
                    "AssumeRole policy must not contain resources.",
                    "Statement[0].NotResource",
                ),
                (
                    policy({**without(TRUSTS, "Principal"), "NotPrincipal": {"AWS": "*"}}),
                    "Allow with NotPrincipal is not allowed.",
                    "Statement[0].NotPrincipal",
                ),
                (
                    policy(
                        {
                            **without(TRUSTS, "Principal"),
                            "Effect": "Deny",
                            "NotPrincipal": {"AWS": "*"},
                        }
                    ),
                    "AssumeRole policy must not contain NotPrincipal field.",
                    "Statement[0].NotPrincipal",
                ),
                (
                    policy({**TRUSTS, "Sid": "A"}, {**TRUSTS, "Sid": "A"}),
                    "The Statement Ids in the policy are not unique",
                    "Statement[1].Sid",
                ),
                (
                    policy({**TRUSTS, "Principal": {"Federated": ["cognito-identity.amazonaws.com"]}}),
                    "A condition block must be present for the Cognito provider",
                    "Statement[0].Condition",
                ),
            )
        ),
        (
            RESOURCE,
            policy({**READS, "NotPrincipal": {"AWS": "111122223333"}}),
            "Allow with NotPrincipal is not allowed.",
            "Statement[0].NotPrincipal",
        ),
        (IDENTITY, "\n" + json.dumps(policy(READS)), "The policy failed legacy parsing", "line 1 column 1"),
        (
            IDENTITY,
            {"Statement": READS, "Version": "2012-10-17"},
            "The policy failed legacy parsing",
            "Version",
        ),
        (SCP, policy(SHARES), ORGANIZATIONS, "Statement[0].Principal"),
        (SCP, {"Statement": [READS]}, ORGANIZATIONS, "Version"),
        (SCP, "{", ORGANIZATIONS, "line 1 column 2"),
        (RCP, policy(READS), ORGANIZATIONS, "Statement[0].Principal"),
        (RCP, policy(SHARES), ORGANIZATIONS, "Statement[0].Principal"),
        (RCP, policy({**FORBIDS, "Effect": "Allow"}), ORGANIZATIONS, "Statement[0].Effect"),
        (
            RCP,
            policy({**without(FORBIDS, "Action"), "NotAction": "s3:*"}),
            ORGANIZATIONS,
            "Statement[0].NotAction",
        ),
    ],
)
def test_words_that_aws_is_known_to_use(kind: PolicyKind, document: Any, message: str, place: str) -> None:
    assert refusal(document, kind) == (message, place)


def test_of_two_faults_the_one_that_aws_names() -> None:
    """Two confusions that people are known to have made, and what AWS told them."""
    assert refusal(policy(TRUSTS), IDENTITY)[0] == "Policy document should not specify a principal."
    assert refusal(policy({**READS, "Action": "sts:AssumeRole"}), TRUST)[0] == "Has prohibited field Resource"


# Words that are conjecture


@pytest.mark.parametrize(
    ("kind", "document", "place"),
    [
        (IDENTITY, [], "document"),
        (IDENTITY, '"text"', "document"),
        (IDENTITY, "[" * 100_000, "document"),
        (IDENTITY, '"' + '\\"' * 60_000, "line 1 column 1"),
        (IDENTITY, "", "line 1 column 1"),
        (IDENTITY, '{"Version": NaN}', "NaN"),
        (IDENTITY, '{"Version": ' + "9" * 5_000 + "}", "document"),
        (IDENTITY, '{"Id": "\\ud800", "Statement": []}', r"\ud800"),
        (IDENTITY, '{"Statement": [], "Statement": []}', "Statement (twice)"),
        (IDENTITY, '{"Statement": [{"Effect": "Deny", "Effect": "Allow"}]}', "Effect (twice)"),
        (IDENTITY, {"Version": "2012-10-17"}, "Statement"),
        (IDENTITY, policy(), "Statement"),
        (IDENTITY, policy(READS, Version="2012-10-18"), "Version"),
        (IDENTITY, policy(READS, Version=None), "Version"),
        (IDENTITY, policy(READS, Id=7), "Id"),
        (IDENTITY, policy(READS, statement=[]), "statement"),
        (IDENTITY, policy(READS, "text"), "Statement[1]"),
        (IDENTITY, policy({**READS, "foo": 1}), "Statement[0].foo"),
        (IDENTITY, policy({**READS, "Sid": 1}), "Statement[0].Sid"),
        (IDENTITY, policy(without(READS, "Effect")), "Statement[0].Effect"),
        (IDENTITY, policy({**READS, "Effect": "allow"}), "Statement[0].Effect"),
        (IDENTITY, policy({**READS, "Effect": ["Allow"]}), "Statement[0].Effect"),
        (IDENTITY, policy({**READS, "NotAction": "s3:*"}), "Statement[0].NotAction"),
        (IDENTITY, policy({**READS, "NotResource": "*"}), "Statement[0].NotResource"),
        (IDENTITY, policy({**READS, "Action": {"Ref": "Actions"}}), "Statement[0].Action"),
        (IDENTITY, policy({**READS, "Resource": ["*", ["*"]]}), "Statement[0].Resource[1]"),
        (IDENTITY, policy({**READS, "Condition": []}), "Statement[0].Condition"),
        (
            IDENTITY,
            policy({**READS, "Condition": {"servicecatalog:accountLevel": "self"}}),
            "Statement[0].Condition.servicecatalog:accountLevel",
        ),
        (
            IDENTITY,
            policy({**READS, "Condition": {"StringEquals": "aws:username"}}),
            "Statement[0].Condition.StringEquals",
        ),
        (IDENTITY, when("StringEquals", None), "Statement[0].Condition.StringEquals.aws:key"),
        (IDENTITY, when("StringEquals", ["a", ["b"]]), "Statement[0].Condition.StringEquals.aws:key[1]"),
        (
            RESOURCE,
            policy({**SHARES, "Principal": "arn:aws:iam::111122223333:root"}),
            "Statement[0].Principal",
        ),
        (RESOURCE, policy({**SHARES, "Principal": {"Aws": "*"}}), "Statement[0].Principal.Aws"),
        (RESOURCE, policy({**SHARES, "NotPrincipal": "*"}), "Statement[0].NotPrincipal"),
    ],
)
def test_where_the_words_are_unknown_the_place_tells(kind: PolicyKind, document: Any, place: str) -> None:
    assert refusal(document, kind) == (SYNTAX, place)


@pytest.mark.parametrize("kind", [TRUST, RESOURCE])
def test_somebody_must_be_named(kind: PolicyKind) -> None:
    document = policy(without(VALID[kind], "Principal"))
    assert refusal(document, kind) == ("Missing required field Principal", "Statement[0].Principal")
    with pytest.raises(MalformedPolicyDocument):
        check_structure(document, kind)


def test_operators_are_spelt_as_aws_spells_them() -> None:
    for operator in ("StringEquals", "ForAnyValue:StringLikeIfExists", "ForAllValues:ArnNotEquals"):
        check_document(when(operator, "x"), IDENTITY)
    for operator in (
        "stringEquals",
        "StringEqual",
        "ForallValues:StringEquals",
        "ForAllValues:ForAnyValue:StringEquals",
        "StringEqualsIfExistsIfExists",
        "NullIfExists",
        "ForAnyValue:Null",
        "",
    ):
        assert refusal(when(operator, "true"), IDENTITY) == (SYNTAX, f"Statement[0].Condition.{operator}")


@pytest.mark.parametrize(
    ("operator", "taken", "refused"),
    [
        ("StringLike", ["", "${aws:username}", 1, 1.5, True], []),
        ("ArnLike", ["arn:aws:iam::*:role/*", "*"], [1, True]),
        ("NumericLessThan", ["1", "-1.5", ".5", 3, 2.5], ["", "one", "1e999", True, "${aws:x}", "٣"]),
        (
            "DateGreaterThan",
            [
                "2013",
                "2013-06",
                "2013-06-30",
                "2013-06-30T00:00:00Z",
                "2013-06-30T10:00+02:00",
                "1372550400",
                0,
            ],
            ["", "tomorrow", "2013-02-30", "2013-13", "0000", "2013-06-30T25:00Z", 1.5, True, 10**30],
        ),
        ("Bool", ["true", "False", True], ["", "yes", 1, 0]),
        ("Null", ["true", "FALSE", False], ["", "null", 0]),
        ("BinaryEquals", ["QmluYXJ5", ""], ["Qmlu!", "Q", 1]),
        (
            "IpAddress",
            ["203.0.113.0/24", "203.0.113.9/24", "203.0.113.9", "2001:db8::/32", "::1"],
            ["", "203.0.113.0/33", "300.0.0.1", "10.0.0.0/255.0.0.0", "fe80::1%eth0", "2001:db8::/129", 1],
        ),
    ],
)
def test_values_are_of_their_operators_type(operator: str, taken: list[Any], refused: list[Any]) -> None:
    check_document(when(operator, taken), IDENTITY)
    for prefix, suffix in (("", ""), ("ForAllValues:", "IfExists")):
        name = operator if operator == "Null" else f"{prefix}{operator}{suffix}"
        for value in refused:
            place = f"Statement[0].Condition.{name}.aws:key[1]"
            assert refusal(when(name, [taken[0], value]), IDENTITY) == (SYNTAX, place)
            with pytest.raises(MalformedPolicyDocument):
                check_structure(when(name, value), IDENTITY)


def test_a_parsed_document_may_be_anything() -> None:
    documents: list[Any] = [None, [], "text", 7]
    for document in documents:
        for check in (check_document, check_structure):
            with pytest.raises(MalformedPolicyDocument, match=f"^{SYNTAX}$"):
                check(document, IDENTITY)


# Size and characters


def test_many_statements_are_not_deep() -> None:
    check_policy(json.dumps(policy(*[{**READS, "Condition": {}}] * 100)), IDENTITY)


def test_white_space_does_not_count() -> None:
    document = policy(READS)
    assert policy_size(json.dumps(document, indent=4)) == len(json.dumps(document, separators=(",", ":")))
    text = json.dumps(document)
    size = policy_size(text)
    check_policy(text, IDENTITY, size_max=size)
    with pytest.raises(MalformedPolicyDocument, match=f"^Cannot exceed quota for PolicySize: {size - 1}$"):
        check_policy(text, IDENTITY, size_max=size - 1)


def test_a_text_is_bounded_and_of_latin_characters() -> None:
    text = json.dumps(policy(READS))
    check_policy(text + " " * (131_072 - len(text)), IDENTITY)
    message, place = refusal(text + " " * (131_073 - len(text)), IDENTITY)
    assert message.endswith("Member must have length less than or equal to 131072")
    check_policy(json.dumps(policy(READS, Id="Änderung"), ensure_ascii=False), IDENTITY)
    for character in ("\u0100", "\u2028", "\x00", "\x1f", "\ufeff", "\U0001f600"):
        message, place = refusal("{" + character, IDENTITY)
        assert message.endswith(r"regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+")
        assert place == "character 2"
