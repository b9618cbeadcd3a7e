"""Who may be meant: every user and role of the accounts that are walked, root, and whom a trust policy names besides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ledger.account.account import MADE_ID, Account
from ledger.account.entities import Kind, Ref, Role, User
from ledger.policy.callers import holder_named
from ledger.policy.request import BadCaller, CallerKind, account_in, caller_of
from projections.findings.roles import trusted
from projections.permissions.naming import Principal, principal_of
from projections.permissions.over_time.concerning import Concerning
from projections.permissions.over_time.courses import Course, Step
from projections.permissions.over_time.turning import Subject

FEDERATED = (":saml-provider/", ":oidc-provider/")
SESSION = ":assumed-role/"


class Held:
    """Finds a user or role by its unique id."""

    def __init__(self, kind: Kind, unique_id: str) -> None:
        self.kind = kind
        self.unique_id = unique_id

    def __call__(self, account: Account | None) -> Principal | None:
        entity = None if account is None else account.get(self.kind, self.unique_id)
        if account is None or not isinstance(entity, User | Role):
            return None
        return principal_of(entity, account.id)


class Candidates:
    """All subjects. Users and roles that come later are added when a step brings them."""

    def __init__(self, concerning: Concerning, role_arn: str | None) -> None:
        self._concerning = concerning
        self._held: dict[tuple[str, Ref], Subject] = {}
        self._others: list[Subject] = []
        self._role_arn = role_arn

    def __iter__(self) -> Iterator[Subject]:
        return iter([*self._others, *self._held.values()])

    def take(self, account: Account) -> None:
        """Everyone whom an account has to begin with."""
        for user_id in account.users:
            self._subject(account.id, (Kind.USER, user_id))
        for role_id in account.roles:
            self._subject(account.id, (Kind.ROLE, role_id))

    def take_root(self, account_id: str, partition: str) -> None:
        self._other("root", f"arn:{partition}:iam::{account_id}:root", account_id, untold=False)

    def take_named(self, names: Iterable[str], here: frozenset[str], partition: str) -> None:
        """Whom a trust policy names and who is not among the users and roles of the accounts that are here."""
        for name in sorted(set(names)):
            if name.isascii() and name.isdigit():
                name = f"arn:{partition}:iam::{name}:root"
            account_id = account_in(name)
            if any(part in name for part in FEDERATED):
                self._other("federated", "*", account_id or "", {"aws:FederatedProvider": (name,)}, key=name)
            elif account_id is None:
                kind = "anyone" if name == "*" else "service"
                self._other(kind, name, "", untold=name == "*")
            elif account_id not in here:
                self._other("account" if name.endswith(":root") else "outsider", name, account_id)
            elif SESSION in name:
                self._other("session", name, account_id, untold=False)

    def concerned(self, steps: Iterable[tuple[str, Step]]) -> Iterator[Subject]:
        """Whom the steps of a second may concern."""
        for account_id, step in steps:
            self._follow(account_id, step)
            for ref in self._concerning.by(step):
                yield self._subject(account_id, ref)
            yield from (one for one in self._others if one.account_id == account_id)
            if self._role_arn is not None and self._is_trust(account_id, step):
                yield from self

    def _is_trust(self, account_id: str, step: Step) -> bool:
        if account_id != account_in(self._role_arn or ""):
            return False
        return any(
            isinstance(role, Role) and role.arn == self._role_arn
            for kind, unique_id in step.touched
            for role in (step.before.get(kind, unique_id), step.after.get(kind, unique_id))
        )

    def _follow(self, account_id: str, step: Step) -> None:
        """Somebody whose id had been made up, and now is told, is still the same."""
        for kind, unique_id in step.touched:
            if not unique_id.startswith(MADE_ID) or kind not in (Kind.USER, Kind.ROLE):
                continue
            before = step.before.get(kind, unique_id)
            subject = self._held.get((account_id, (kind, unique_id)))
            if subject is None or before is None or step.after.get(kind, unique_id) is not None:
                continue
            assert isinstance(before, User | Role)
            named = step.after.user_named if kind is Kind.USER else step.after.role_named
            after = named(before.name)
            if after is None or (account_id, (kind, after.id)) in self._held:
                continue  # who had that id before goes on with it
            if isinstance(subject.find, Held):
                subject.find.unique_id = after.id
                self._held[account_id, (kind, after.id)] = subject
                del self._held[account_id, (kind, unique_id)]  # whoever is met under it again is another

    def _subject(self, account_id: str, ref: Ref) -> Subject:
        found = self._held.get((account_id, ref))
        if found is None:
            found = self._held[account_id, ref] = Subject(account_id, str(ref[0]), Held(*ref))
        return found

    def _other(
        self,
        kind: str,
        arn: str,
        account_id: str,
        extra: dict[str, tuple[str, ...]] | None = None,
        *,
        key: str | None = None,
        untold: bool | None = None,
    ) -> None:
        try:
            caller = caller_of(arn)
        except BadCaller:
            return
        holder = None if caller.kind is CallerKind.ROOT else holder_named(caller)
        principal = Principal(caller, holder, account_id, None)
        outside = kind in ("account", "outsider") if untold is None else untold
        self._others.append(Subject(account_id, kind, lambda _: principal, extra or {}, outside, key or arn))


def named_by_trust(course: Course, role_arn: str) -> tuple[set[str], bool]:
    """Everyone whom the role's trust policy ever names in its course; and whether its text was ever not known."""
    accounts = [course.start, *(step.after for step in course.steps())]
    short = role_arn.rsplit("/", 1)[-1]
    found: set[str] = set()
    unknown = False
    for account in accounts:
        role = account.role_named(short)
        if role is None:
            continue
        unknown = unknown or role.trust is None
        if role.trust is not None:
            found |= trusted(role.trust.document)
    return found, unknown
