# SPDX-License-Identifier: MIT
"""Runs a row: its players in turn, A B C A B C ..., for some rounds."""

import proxies
import stage
from control import Poller
from result import Result


class Runner:
    """One row's servers and proxies, while it is measured."""

    def __init__(self, s, row, seconds):
        self.stage, self.row, self.seconds = s, row, seconds
        self.servers, self.proxies = {}, {}

    def setting(self, player):
        return player.setting or self.row.setting

    def addresses(self, player):
        setting = self.setting(player)
        key = (setting.backends, setting.sink)
        if key not in self.servers:
            start = proxies.start_sink if setting.sink else proxies.start_server
            self.servers[key] = start(self.stage, setting.backends)
        return self.servers[key].addresses

    def proxy(self, player):
        if player.label not in self.proxies:
            addresses = self.addresses(player)
            self.proxies[player.label] = proxies.start(self.stage, player.kind, self.setting(player), addresses)
        return self.proxies[player.label]

    def drop(self, player):
        self.stage.end(self.proxies.pop(player.label).process)

    def run(self, player, seconds):
        load, addresses = self.row.load, self.addresses(player)
        if hasattr(load, 'run_own'):
            return load.run_own(self.stage, player.kind, self.setting(player), addresses)
        if player.kind == 'direct':
            return load.run(self.stage, addresses[0], seconds, None)
        proxy = self.proxy(player)
        if player.polled:
            with Poller(proxy.process):
                sample = load.run(self.stage, proxy.address, seconds, proxy)
        else:
            sample = load.run(self.stage, proxy.address, seconds, proxy)
        if not proxy.process.alive():
            raise stage.Failure(f'{player.label} ended: {proxy.process.output().strip()[-500:]}')
        if self.row.fresh:
            self.drop(player)
        return sample

    def close(self):
        for started in [*self.proxies.values(), *self.servers.values()]:
            self.stage.end(started.process)


def timed(row):
    """Whether a longer run is a better one."""
    return not row.fresh and not hasattr(row.load, 'run_own')


def measure(s, row, rounds, seconds, warm_up, tell):
    """A Result; tell(text) hears how far it is. A player that fails makes the row fail, and says why."""
    result, runner = Result(row), Runner(s, row, seconds)
    try:
        for n in range(-1 if warm_up and timed(row) else 0, rounds):
            for player in row.players:
                tell(f'{row.name}: {"warming up" if n < 0 else f"round {n + 1} of {rounds}"}: {player.label}')
                sample = runner.run(player, 1 if n < 0 else seconds)
                if n >= 0:
                    result.samples[player.label].append(sample)
    except (stage.Failure, OSError, ValueError) as e:
        result.why_not = str(e)
    finally:
        runner.close()
    for player in row.players:
        if result.errors(player.label):
            result.warnings.append(f'{player.label}: {result.errors(player.label)} requests failed')
    return result
