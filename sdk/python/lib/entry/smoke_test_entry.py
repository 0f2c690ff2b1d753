"""What the component is made from. Not for plugin authors: yours is plugin.py."""

from wit_world import exports
from wit_world.exports import smoke_test as contract
from wit_world.imports import http, tls, types

from plugin import plugin
from sluice_sdk.serve import Served, enum

_served = Served(plugin, "smoke-test", http, tls)


class Settings(exports.Settings):
    def validate(self, settings):
        return _served.validate(settings)


class SmokeTest(exports.SmokeTest):
    def run(self, call):
        report = _served.call("run", call)
        checks = [
            types.Check(one.name, enum(types.Outcome, one.outcome), one.message, one.elapsed_ms)
            for one in report.checks
        ]
        return contract.Report(enum(types.Outcome, report.outcome), report.summary, checks)
