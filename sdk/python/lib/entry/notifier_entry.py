"""What the component is made from. Not for plugin authors: yours is plugin.py."""

from wit_world import exports
from wit_world.imports import http

from plugin import plugin
from sluice_sdk import Event
from sluice_sdk.serve import Served, plain, word

_served = Served(plugin, "notifier", http)


class Settings(exports.Settings):
    def validate(self, settings):
        return _served.validate(settings)


class Notifier(exports.Notifier):
    def notify(self, call, event):
        return _served.call("notify", call, plain(Event, event, severity=word(event.severity)))
