"""What the component is made from. Not for plugin authors: yours is plugin.py."""

from wit_world import exports
from wit_world.exports import traffic_strategy as contract

from plugin import plugin
from sluice_sdk import Hold, Observation, Rollback, Step
from sluice_sdk.serve import Served, plain

_served = Served(plugin, "traffic-strategy")


class Settings(exports.Settings):
    def validate(self, settings):
        return _served.validate(settings)


class TrafficStrategy(exports.TrafficStrategy):
    def plan(self, call):
        return [plain(contract.Step, step) for step in _served.call("plan", call)]

    def judge(self, call, step, observations):
        seen = [plain(Observation, one) for one in observations]
        answer = _served.call("judge", call, plain(Step, step), seen)
        if isinstance(answer, Hold):
            return contract.Judgement_Hold(answer.ms)
        if isinstance(answer, Rollback):
            return contract.Judgement_Rollback(answer.why)
        return contract.Judgement_Proceed()
