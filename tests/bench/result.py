# SPDX-License-Identifier: MIT
"""What the rounds of a row come to.

On a small machine absolute times drift by a third within minutes. So a ratio is made of two runs of
the same round only, and what is reported is the median of the rounds, with the least and the greatest.
"""

import dataclasses
import statistics


@dataclasses.dataclass
class Ratio:
    player: str
    against: str
    metric: str
    rounds: list

    def median(self):
        return statistics.median(self.rounds)


class Result:
    """Of one row: samples[label] has one Sample a round."""

    def __init__(self, row):
        self.row, self.warnings = row, []
        self.why_not = None    # it could not be measured: why, for people
        self.left_out = False  # and that is as it should be
        self.samples = {player.label: [] for player in row.players}

    def values(self, label, metric):
        found = [sample.metrics().get(metric) for sample in self.samples[label]]
        return [value for value in found if value is not None]

    def median(self, label, metric):
        values = self.values(label, metric)
        return statistics.median(values) if values else None

    def errors(self, label):
        return sum(sample.errors for sample in self.samples[label])

    def ratio(self, player, against, metric):
        """None if one of the two has no such number, or had none in a round."""
        ours = self.values(player, metric)
        if against == 'best':
            others = [self.values(label, metric) for label in self.samples if label != player]
            theirs = [max(values) for values in zip(*others)]
        else:
            theirs = self.values(against, metric)
        if not ours or len(ours) != len(theirs) or min(theirs) <= 0:
            return None
        return Ratio(player, against, metric, [a / b for a, b in zip(ours, theirs)])

    def ratios(self):
        """bal to each other, in what the row is about and in throughput; then what the row adds."""
        first, *others = [player.label for player in self.row.players]
        added = [a for a, _ in self.row.versus]
        pairs = [(first, label) for label in others if label not in added and label != 'direct'] + list(self.row.versus)
        found = [self.ratio(a, b, metric) for a, b in pairs
                 for metric in dict.fromkeys((self.row.metric, 'cpu_us', 'per_s', 'p99_us'))]
        return [ratio for ratio in found if ratio]

    def goals(self):
        """[(goal, value or None, met or None)]"""
        first = self.row.players[0].label
        found = []
        for goal in self.row.goals:
            if goal.against:
                ratio = self.ratio(first, goal.against, goal.metric)
                value = ratio and ratio.median()
            else:
                value = self.median(first, goal.metric)
            found.append((goal, value, None if value is None else goal.met(value)))
        return found
