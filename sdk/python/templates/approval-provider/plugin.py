"""Asks a board of people for a decision."""

import json
from dataclasses import dataclass
from typing import Any

from sluice_sdk import (
    ApprovalProvider,
    Client,
    Decided,
    Expired,
    Pending,
    Request,
    Unable,
    approval_provider,
    setting,
)

Status = Pending | Decided | Expired


@dataclass
class Settings:
    board: str = setting(description="Name of the board.")


@approval_provider(Settings)
class plugin(ApprovalProvider[Settings]):
    def ask(self, client: Client, on: Settings) -> Status:
        release = client.release
        # The key is the same for every repetition: the board opens one request, not two.
        question = request("POST", "/requests").header("idempotency-key", client.idempotency_key)
        question.json(
            {
                "board": on.board,
                "environment": client.attribute("environment"),
                "service": release.workload.name,
                "subject": release.subject_digest,
            }
        )
        return Pending(entry(client.ask(question).json())["id"])

    def poll(self, client: Client, on: Settings, ticket: str) -> Status:
        return standing(entry(client.ask(request("GET", f"/requests/{ticket}")).json()), ticket)

    def withdraw(self, client: Client, on: Settings, ticket: str) -> None:
        answer = client.send(request("DELETE", f"/requests/{ticket}"))
        # Gone already is as good.
        if answer.status != 404:
            answer.accepted()

    def on_callback(
        self, client: Client, on: Settings, ticket: str, headers: list[tuple[str, str]], body: bytes
    ) -> Status | None:
        try:
            document = json.loads(body)
        except ValueError:
            return None
        ours = isinstance(document, dict) and document.get("id") == ticket
        return standing(entry(document), ticket) if ours else None


def request(method: str, path: str) -> Request:
    return Request(method, path).on("board").bearer("board-token")


def entry(document: Any) -> dict[str, str]:
    """A request, as the board writes it."""
    given = document if isinstance(document, dict) else {}
    whole = {"id": "", "state": "open", "by": "", "reason": "", "subject": "", **given}
    for key, value in whole.items():
        if not isinstance(value, str):
            raise Unable.unavailable(f"the board's `{key}` is no text")
    return whole


def standing(entry: dict[str, str], ticket: str) -> Status:
    """What the board says, in the words of the contract. The host drops a decision about another
    subject than the open request's."""
    if entry["state"] in ("approved", "rejected"):
        return Decided(
            approved=entry["state"] == "approved",
            approver=entry["by"],
            reason=entry["reason"],
            subject_digest=entry["subject"],
        )
    return Expired() if entry["state"] == "expired" else Pending(ticket)
