# SPDX-License-Identifier: MIT
"""Results as tables for people and as a document for programs."""

import dataclasses
import statistics

from rows import METRICS

UNMEASURED = '-'


def number(value, digits=3):
    """So many significant digits, never an exponent, thousands apart."""
    if value is None:
        return UNMEASURED
    if value == 0:
        return '0'
    whole = len(str(int(abs(value))))
    places = max(0, digits - whole) if abs(value) >= 1 else digits - 1
    return f'{value:,.{places}f}'.replace(',', ' ')


def duration(us):
    if us is None:
        return UNMEASURED
    return f'{number(us)} us' if abs(us) < 1000 else f'{number(us / 1000)} ms' if abs(us) < 1e6 else f'{number(us / 1e6)} s'


def table(lines):
    """Columns as wide as they need; the first to the left, the others to the right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ['  '.join([line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))])
            for line in lines]


def timed_line(result, label):
    median = {metric: result.median(label, metric) for metric in METRICS}
    split = '' if median['user_us'] is None else f'{number(median["user_us"])} + {number(median["system_us"])}'
    return [label, number(median['per_s']), duration(median['p50_us']), duration(median['p99_us']),
            duration(median['cpu_us']), split, duration(median['machine_us'])]


def valued_line(result, label, metrics):
    return [label, *(number(result.median(label, metric)) for metric in metrics)]


def ratio_lines(ratios):
    """One line a pair: the median of each metric, with the least and the greatest of the rounds."""
    pairs = {}
    for ratio in ratios:
        words = f'{METRICS[ratio.metric]} {ratio.median():.3f}'
        if len(ratio.rounds) > 1:
            words += f' ({min(ratio.rounds):.3f} to {max(ratio.rounds):.3f})'
        pairs.setdefault(f'{ratio.player} / {ratio.against}: ', []).append(words)
    return [pair + ', '.join(words) for pair, words in pairs.items()]


def verdict(met):
    return {None: 'not measured', True: 'met', False: 'NOT MET'}[met]


def row_text(result):
    row = result.row
    out = [f'== {row.name}: {row.title}']
    if result.why_not:
        return '\n'.join([*out, f'   {result.why_not}'])
    metrics = [metric for metric in METRICS if result.median(row.players[0].label, metric) is not None]
    if 'per_s' in metrics:
        lines = [['', f'{row.unit}s/s' if row.unit != '64 MiB' else '64 MiB/s', 'p50', 'p99', f'CPU per {row.unit}',
                  'user + system', 'machine']]
        lines += [timed_line(result, player.label) for player in row.players]
    else:
        lines = [['', *(METRICS[metric] for metric in metrics)]]
        lines += [valued_line(result, player.label, metrics) for player in row.players]
    out += ['   ' + line for line in table(lines)]
    out += ['   ' + line for line in ratio_lines(result.ratios())]
    out += [f'   added to direct: {label} {METRICS[metric]} {duration(value)}' for label, metric, value in added(result)]
    out += [f'   goal: {goal.words()}: {number(value)}, {verdict(met)}' for goal, value, met in result.goals()]
    out += [f'   warning: {warning}' for warning in result.warnings]
    return '\n'.join(out)


def added(result):
    """[(player, metric, us)]: what each player makes a request longer by; only where direct was measured."""
    if 'direct' not in result.samples:
        return []
    found = []
    for label in result.samples:
        for metric in ('p50_us', 'p99_us'):
            pairs = list(zip(result.values(label, metric), result.values('direct', metric)))
            if label != 'direct' and pairs:
                found.append((label, metric, statistics.median(through - direct for through, direct in pairs)))
    return found


def goals_text(results):
    """Every goal of the rows that were asked for, one a line."""
    lines = [['row', 'goal', 'measured', '']]
    for result in results:
        for goal, value, met in result.goals():
            lines.append([result.row.name, goal.words(), number(value), verdict(met)])
    if len(lines) == 1:
        return 'no goals in these rows'
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    out = ['  '.join([line[0].ljust(widths[0]), line[1].ljust(widths[1]), line[2].rjust(widths[2]), line[3]]).rstrip()
           for line in lines]
    return '\n'.join(['== goals', *('   ' + line for line in out)])


# ---- for docs/PERFORMANCE.md ----

def measured(result, label):
    """What the row is about, of one player."""
    value = result.median(label, result.row.metric)
    return duration(value) if result.row.metric.endswith('_us') else number(value)


def markdown_ratios(result):
    first = result.row.players[0].label
    return ', '.join(f'{ratio.median():.2f} ({min(ratio.rounds):.2f} to {max(ratio.rounds):.2f}) {ratio.against}'
                     for ratio in result.ratios()
                     if ratio.metric == result.row.metric and (ratio.player == first or ratio.against == first))


def markdown(about, results):
    """One line a row: what each player needed, bal's ratios with their spread, the goals."""
    lines = ['; '.join(about['versions'].values()) + f'. {about["cpus"]} x {about["cpu"]}, Linux {about["kernel"]}, '
             f'{about["when"][:10]}: {about["rounds"]} rounds of {about["seconds"]} s.', '',
             '| row | a | measured | bal / other, median (least to greatest) | goal |', '|---|---|---|---|---|']
    for result in results:
        row = result.row
        what = result.why_not or ', '.join(f'{label} {measured(result, label)}' for label in result.samples)
        goals = ', '.join(f'{goal.words()}: {verdict(met)}' + ('' if value is None else f' ({number(value)})')
                          for goal, value, met in result.goals())
        lines.append(f'| `{row.name}` | {row.unit}, {METRICS[row.metric]} | {what} | {markdown_ratios(result)} | {goals} |')
    return '\n'.join(lines) + '\n'


# ---- the document ----

def ratio_document(ratio):
    return {'player': ratio.player, 'against': ratio.against, 'metric': ratio.metric, 'median': ratio.median(),
            'min': min(ratio.rounds), 'max': max(ratio.rounds), 'rounds': ratio.rounds}


def player_document(result, player):
    label, setting = player.label, player.setting or result.row.setting
    return {'kind': player.kind, 'setting': dataclasses.asdict(setting), 'polled': player.polled,
            'errors': result.errors(label),
            'median': {metric: result.median(label, metric) for metric in METRICS
                       if result.median(label, metric) is not None},
            'rounds': [sample.metrics() for sample in result.samples[label]]}


def row_document(result):
    row = result.row
    return {'name': row.name, 'title': row.title, 'unit': row.unit, 'metric': row.metric, 'why_not': result.why_not,
            'warnings': result.warnings,
            'players': {player.label: player_document(result, player) for player in row.players},
            'ratios': [ratio_document(ratio) for ratio in result.ratios()],
            'added': [{'player': label, 'metric': metric, 'us': value} for label, metric, value in added(result)],
            'goals': [{'text': goal.words(), 'metric': goal.metric, 'against': goal.against, 'limit': goal.limit,
                       'measured': value, 'met': met} for goal, value, met in result.goals()]}


def document(about, results):
    return {'about': about, 'metrics': METRICS, 'rows': [row_document(result) for result in results]}
