"""What the component is made from. Not for plugin authors: yours is plugin.py."""

from wit_world import exports
from wit_world.exports import approval_provider as contract
from wit_world.imports import http

from plugin import plugin
from sluice_sdk import Decided, Pending
from sluice_sdk.serve import Served

_served = Served(plugin, "approval-provider", http)


def _status(answer):
    if isinstance(answer, Pending):
        return contract.Status_Pending(answer.ticket)
    if isinstance(answer, Decided):
        decision = contract.Decision(
            answer.approved, answer.approver, answer.reason, answer.subject_digest
        )
        return contract.Status_Decided(decision)
    return contract.Status_Expired()


class Settings(exports.Settings):
    def validate(self, settings):
        return _served.validate(settings)


class ApprovalProvider(exports.ApprovalProvider):
    def ask(self, call):
        return _status(_served.call("ask", call))

    def poll(self, call, ticket):
        return _status(_served.call("poll", call, ticket))

    def withdraw(self, call, ticket):
        _served.call("withdraw", call, ticket)

    def on_callback(self, call, ticket, headers, body):
        answer = _served.call("on_callback", call, ticket, headers, bytes(body))
        return None if answer is None else _status(answer)
