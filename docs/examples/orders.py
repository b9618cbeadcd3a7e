"""A service of orders whose every call is permitted by IAM and written down: `uvicorn orders:app` in this folder."""

import os
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI, HTTPException

from api.client import AsyncClient
from api.guard import Asking, Caller, Guard, Permission, Public, Rule

ledger = AsyncClient(os.environ.get("LEDGER_URL", "http://127.0.0.1:8321"))
ORDER = "arn:aws:orders:::order/{id}"

RULES = [
    Public("GET", "/health"),
    Rule(
        "GET", "/orders/{id}", action="orders:GetOrder", resource=ORDER, request=("id",), response=("total",)
    ),
    Rule(
        "PUT",
        "/orders/{id}",
        action="orders:PutOrder",
        resource=ORDER,
        request=("id", "lines"),
        response=("total",),
    ),
    Rule(
        "POST",
        "/orders/{id}/refund",
        action="orders:Refund",
        resource=ORDER,
        request=("id", "amount"),
        context={"orders:Amount": "amount"},
        record="before",  # money moves: the entry is there even if the process dies
    ),
    Rule("POST", "/orders/{id}/copy", action="orders:CopyOrder", resource=ORDER, request=("id", "to")),
]

orders: dict[str, dict[str, Any]] = {}


@asynccontextmanager
async def lifespan(app: FastAPI):
    yield
    await ledger.close()


service = FastAPI(title="orders", lifespan=lifespan)


@service.get("/health")
def health() -> dict[str, str]:
    return {"status": "up"}


@service.get("/orders/{id}")
def get_order(id: str) -> dict[str, Any]:
    if id not in orders:
        raise HTTPException(404, f"there is no order {id}")
    return orders[id]


@service.put("/orders/{id}")
def put_order(id: str, order: dict[str, Any], caller: Caller) -> dict[str, Any]:
    orders[id] = {"id": id, "total": sum(order["lines"]), "by": caller.principal}
    return orders[id]


@service.post("/orders/{id}/refund")
def refund(id: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"refunded": body["amount"]}


may_read_stock = Permission(Asking(ledger), "stock:GetItem", "arn:aws:stock:::item/{id}")


@service.post("/orders/{id}/copy", dependencies=[Depends(may_read_stock)])
def copy_order(id: str, body: dict[str, Any]) -> dict[str, Any]:
    orders[body["to"]] = {**orders[id], "id": body["to"]}
    return orders[body["to"]]


app = Guard(service, ledger, RULES, region="eu-west-1", event_source="orders.example.com")
