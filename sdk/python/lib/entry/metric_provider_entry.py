"""What the component is made from. Not for plugin authors: yours is plugin.py."""

from wit_world import exports
from wit_world.exports import metric_provider as contract
from wit_world.imports import http, tls

from plugin import plugin
from sluice_sdk import Window
from sluice_sdk.serve import Served, enum, plain

_served = Served(plugin, "metric-provider", http, tls)


class Settings(exports.Settings):
    def validate(self, settings):
        return _served.validate(settings)


class MetricProvider(exports.MetricProvider):
    def evaluate(self, call, window):
        answer = _served.call("evaluate", call, plain(Window, window))
        series = [
            contract.Series(enum(contract.Role, one.role), one.events, one.total, one.value)
            for one in answer.series
        ]
        return contract.Measurement(series, answer.summary)
