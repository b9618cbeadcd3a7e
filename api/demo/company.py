"""Larkspur Freight, a company that does not exist: its people, groups, roles and policies at midnight."""

from dataclasses import dataclass, field

from api.demo.account import (
    AccessKey,
    Account,
    Document,
    Group,
    InstanceProfile,
    Policy,
    PolicyVersion,
    Role,
    User,
)
from api.demo.callers import Credential, RoleFace, access_key
from api.demo.company_policies import (
    COMPANY_POLICIES,
    DEPLOY_VERSIONS,
    MANAGE_OWN,
    MANAGED_POLICIES,
    role_trusts,
)
from api.demo.day import days_before
from api.demo.identifiers import Identifiers
from api.demo.whereabouts import AUDITORS, MAIN, PROD_DATA

AWS_POLICY = "arn:aws:iam::aws:policy/"
ADMIN = f"{AWS_POLICY}AdministratorAccess"

# name: groups, has a console password and a second factor, has an access key
_PEOPLE: dict[str, tuple[list[str], bool, bool]] = {
    "mara.lindqvist": (["admins", "staff"], True, True),
    "tom.okafor": (["admins", "staff"], True, False),
    "nadia.petrov": (["security", "staff"], True, False),
    "iris.chen": (["developers", "staff"], True, True),
    "ben.haddad": (["developers", "staff"], True, True),
    "sofia.marques": (["developers", "staff"], True, False),
    "jonas.weber": (["developers", "staff"], True, True),
    "priya.nair": (["developers", "staff"], True, True),
    "luca.romano": (["developers", "staff"], True, False),
    "helen.brandt": (["finance", "staff"], True, False),
    "omar.said": (["finance", "staff"], True, False),
    "ci-deploy": (["ci"], False, True),
    "ci-artifacts": (["ci"], False, True),
    "svc-reporting": ([], False, True),
    "svc-backup": ([], False, True),
}
_GROUPS = {
    "admins": [ADMIN],
    "developers": ["LarkspurDeveloper"],
    "finance": ["LarkspurFinance"],
    "ci": ["LarkspurDeploy"],
    "security": ["LarkspurIncidentResponse"],
    "staff": [f"{AWS_POLICY}IAMUserChangePassword"],
}
_ROLES = {
    "LarkspurAppServer": [
        "LarkspurAppRuntime",
        f"{AWS_POLICY}AmazonSSMManagedInstanceCore",
        f"{AWS_POLICY}CloudWatchAgentServerPolicy",
    ],
    "LarkspurOps": [ADMIN],
    "LarkspurBreakGlass": [ADMIN, "LarkspurGuardrail"],
    "LarkspurDataPipeline": ["LarkspurPipeline"],
    "LarkspurInvoiceLambda": ["LarkspurInvoicing", f"{AWS_POLICY}service-role/AWSLambdaBasicExecutionRole"],
    "LarkspurTrackingLambda": ["LarkspurTracking", f"{AWS_POLICY}service-role/AWSLambdaBasicExecutionRole"],
    "LarkspurAuditReader": ["LarkspurAuditRead"],
}
_CONFIG_ROLE = "AWSServiceRoleForConfig"
_MANY_DAYS = 900


@dataclass(slots=True)
class Company:
    """The account as it stands, and everything about it that a snapshot does not show."""

    account: Account
    data_reader: RoleFace  # this and the next two are of the second account
    backup_operator: RoleFace
    backup_service: RoleFace
    keys: dict[str, Credential] = field(default_factory=dict)  # the first access key of each user

    def face(self, role: str) -> RoleFace:
        held = self.account.roles[role]
        return RoleFace(held.arn, held.role_id)

    def user(self, name: str) -> Credential:
        """The user without any key, as a password identifies him."""
        user = self.account.users[name]
        return access_key(name, user.user_id, self.account.account_id, "")


def found(identifiers: Identifiers) -> Company:
    """The company at midnight, before anything happened."""
    account = Account(MAIN)
    company = Company(
        account,
        data_reader=_foreign_role("LarkspurDataReader", identifiers),
        backup_operator=_foreign_role("LarkspurBackupOperator", identifiers),
        backup_service=_foreign_role("service-role/AWSBackupDefaultServiceRole", identifiers),
    )
    _hire(company, identifiers)
    _write_policies(account, identifiers)
    _group(account, identifiers)
    _make_roles(account, identifiers)
    return company


def _hire(company: Company, identifiers: Identifiers) -> None:
    account = company.account
    for index, (name, (groups, has_password, has_key)) in enumerate(_PEOPLE.items()):
        hired = days_before(
            _MANY_DAYS - 41 * index, f"{8 + index % 9:02}:{(17 * index) % 60:02}:{(29 * index) % 60:02}"
        )
        user = User(
            name, identifiers.unique_id("AIDA", MAIN), f"arn:aws:iam::{MAIN}:user/{name}", hired, list(groups)
        )
        user.has_password = has_password
        if has_password:
            user.mfa = [f"arn:aws:iam::{MAIN}:mfa/{name}"]
            account.mfa_devices.append(user.mfa[0])
        if has_key:
            key_id = identifiers.key_id("AKIA", MAIN)
            user.keys[key_id] = AccessKey(key_id, "Active", hired + 600)
            company.keys[name] = access_key(name, user.user_id, MAIN, key_id)
        account.users[name] = user
    account.users["svc-reporting"].attached = [account.policy_arn("LarkspurReporting")]
    account.users["svc-backup"].attached = [ADMIN]
    account.users["svc-backup"].boundary = account.policy_arn("LarkspurBackupBoundary")


def _write_policies(account: Account, identifiers: Identifiers) -> None:
    for index, (name, document) in enumerate(COMPANY_POLICIES.items()):
        written = days_before(700 - 19 * index, "10:12:31")
        documents: dict[str, Document] = {"v1": document}
        if name == "LarkspurDeploy":
            documents = DEPLOY_VERSIONS
        versions = {
            version: PolicyVersion(text, written + number * 86_400 * 11)
            for number, (version, text) in enumerate(documents.items())
        }
        newest = list(versions)[-1]
        arn = account.policy_arn(name)
        policy_id = identifiers.unique_id("ANPA", MAIN)
        account.policies[arn] = Policy(name, policy_id, arn, written, versions, newest, int(newest[1:]))
    for path_and_name, (policy_id, version, document) in MANAGED_POLICIES.items():
        arn = AWS_POLICY + path_and_name
        path, _, name = f"/{path_and_name}".rpartition("/")
        born = days_before(3_600, "18:39:46")
        versions = {version: PolicyVersion(document, born)}
        account.policies[arn] = Policy(
            name, policy_id, arn, born, versions, version, int(version[1:]), f"{path}/"
        )


def _group(account: Account, identifiers: Identifiers) -> None:
    for name, policies in _GROUPS.items():
        arn = f"arn:aws:iam::{MAIN}:group/{name}"
        group = Group(name, identifiers.unique_id("AGPA", MAIN), arn, days_before(_MANY_DAYS, "07:31:04"))
        group.attached = [_full(account, policy) for policy in policies]
        if name == "staff":
            group.inline["manage-own-credentials"] = MANAGE_OWN
        if name == "admins":
            group.attached.append(account.policy_arn("LarkspurGuardrail"))
        account.groups[name] = group


def _make_roles(account: Account, identifiers: Identifiers) -> None:
    trusts = role_trusts(MAIN, AUDITORS)
    for index, (name, policies) in enumerate(_ROLES.items()):
        role = Role(
            name,
            identifiers.unique_id("AROA", MAIN),
            f"arn:aws:iam::{MAIN}:role/{name}",
            days_before(640 - 37 * index, "11:05:49"),
            trusts[name],
        )
        role.attached = [_full(account, policy) for policy in policies]
        account.roles[name] = role
    arn = f"arn:aws:iam::{MAIN}:role/aws-service-role/config.amazonaws.com/{_CONFIG_ROLE}"
    linked = Role(
        _CONFIG_ROLE,
        identifiers.unique_id("AROA", MAIN),
        arn,
        days_before(_MANY_DAYS, "07:40:00"),
        trusts[_CONFIG_ROLE],
    )
    linked.attached = [f"{AWS_POLICY}aws-service-role/AWSConfigServiceRolePolicy"]
    account.roles[_CONFIG_ROLE] = linked
    profile_id = identifiers.unique_id("AIPA", MAIN)
    arn = f"arn:aws:iam::{MAIN}:instance-profile/LarkspurAppServer"
    account.profiles["LarkspurAppServer"] = InstanceProfile(
        "LarkspurAppServer", profile_id, arn, days_before(600, "11:06:02"), ["LarkspurAppServer"]
    )


def _foreign_role(name: str, identifiers: Identifiers) -> RoleFace:
    return RoleFace(f"arn:aws:iam::{PROD_DATA}:role/{name}", identifiers.unique_id("AROA", PROD_DATA))


def _full(account: Account, policy: str) -> str:
    return policy if policy.startswith("arn:") else account.policy_arn(policy)
