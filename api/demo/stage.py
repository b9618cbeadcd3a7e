"""Everything the story is played with, and what the intruders hold at each point of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from api.demo.callers import Caller, Client, Credential
from api.demo.company import Company
from api.demo.deployments import Deployments
from api.demo.iam_calls import IamCalls
from api.demo.machines import Machines
from api.demo.ordinary_calls import Everyday
from api.demo.people import People
from api.demo.sessions import Sessions
from api.demo.trail import Act, Trail
from api.demo.whereabouts import US


@dataclass(slots=True)
class Loot:
    """Credentials and acts by name, for the later steps and for the truth told at the end."""

    held: dict[str, Credential] = field(default_factory=dict)
    acts: dict[str, Act] = field(default_factory=dict)
    serial: str = ""  # the second factor that the intruders gave to ci-deploy
    instance_id: str = ""  # the server that they started


@dataclass(slots=True)
class Stage:
    company: Company
    trail: Trail
    iam: IamCalls
    sessions: Sessions
    machines: Machines
    people: People
    deployments: Deployments
    loot: Loot = field(default_factory=Loot)

    def holder(self, name: str, client: Client) -> Caller:
        return Caller(self.loot.held[name], client)

    def look(
        self, moment: int, caller: Caller, calls: Sequence[Everyday], *, region: str = US, pause: int = 3
    ) -> None:
        """One call after the other, all of them granted."""
        for number, call in enumerate(calls):
            call.by(self.trail, moment + number * pause, caller, region)
