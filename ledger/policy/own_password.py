"""What the account's password policy grants to every user, written as a policy so that answers can point at it.

Source: IAM user guide, "Permit IAM users to change their own passwords": AllowUsersToChangePassword allows all users
iam:ChangePassword for only their own user, and iam:GetAccountPasswordPolicy. AWS does not tell how that stands to a
permissions boundary or an explicit denial; here it is one more identity-based policy.
"""

from __future__ import annotations

from typing import Any, Final

from ledger.account.account import Account
from ledger.account.entities import Role, User
from ledger.policy.decision import Grant, GrantKind, Layer, Source
from ledger.policy.document import Policy, compile_policy

NAME: Final = "AWS:AllowUsersToChangePassword"


def own_password_policy(account: Account, holder: User | Role) -> list[tuple[Policy, Source]]:
    """One policy for a user of an account that has the setting, granted by the entry that set it; else none."""
    setting = account.settings.password_policy
    if not isinstance(holder, User) or setting is None or not setting.allow_users_to_change_password:
        return []
    grant = Grant(GrantKind.PASSWORD_POLICY, NAME, holder.arn, account.id, setting.made_by)
    return [(compile_policy(_document(holder.arn)), Source(Layer.IDENTITY, NAME, ways=((grant,),)))]


def _document(arn: str) -> dict[str, Any]:
    itself = arn.replace("$", "${$}").replace("*", "${*}").replace("?", "${?}")  # a path may have these
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "iam:ChangePassword", "Resource": itself},
            {"Effect": "Allow", "Action": "iam:GetAccountPasswordPolicy", "Resource": "*"},
        ],
    }
