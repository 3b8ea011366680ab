# SPDX-License-Identifier: MIT
"""The ratios as a picture: for each row and peer a bar as long as what bal needs of what the peer needs,
the spread of the rounds on it, and the goal as a mark. SVG, made of text."""

from xml.sax.saxutils import escape

LEFT, RIGHT, WIDTH, BAR, GAP, TOP = 210, 90, 900, 14, 10, 64
SPAN = 1.5  # the greatest ratio that is drawn; longer ones are cut there
COLOURS = {'haproxy': '#3b6ea5', 'haproxy-splice': '#6f9fd0', 'nginx': '#3f8f4f'}
OTHER = '#8a8a8a'


def x_of(ratio):
    return LEFT + min(ratio, SPAN) / SPAN * (WIDTH - LEFT - RIGHT)


def text(x, y, words, anchor='start', size=12, weight='normal'):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}">'
            f'{escape(words)}</text>')


def line(x1, y1, x2, y2, colour, width=1, dash=''):
    dashed = f' stroke-dasharray="{dash}"' if dash else ''
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"{dashed}/>')


def bar(y, ratio, goal):
    end, middle = x_of(ratio.median()), y + BAR / 2
    out = [f'<rect x="{LEFT}" y="{y:.1f}" width="{end - LEFT:.1f}" height="{BAR}" '
           f'fill="{COLOURS.get(ratio.against, OTHER)}"/>',
           line(x_of(min(ratio.rounds)), middle, x_of(max(ratio.rounds)), middle, '#000000')]
    if goal is not None:
        out.append(line(x_of(goal), y - 3, x_of(goal), y + BAR + 3, '#c02020', 2))
    out.append(text(x_of(max(ratio.median(), max(ratio.rounds))) + 6, y + BAR - 3,
                    f'{ratio.median():.2f}  {ratio.against}'))
    return out


def drawn(result):
    """[(ratio, limit or None)] of a row: bal's, in the metric that the row is about."""
    limits = {goal.against: goal.limit for goal in result.row.goals if goal.metric == result.row.metric}
    first = result.row.players[0].label
    return [(ratio, limits.get(ratio.against)) for ratio in result.ratios()
            if ratio.player == first and ratio.metric == result.row.metric and ratio.against != 'direct']


def ruler(height):
    out = []
    for tenth in range(0, int(SPAN * 10) + 1, 5):
        x = x_of(tenth / 10)
        out += [line(x, TOP - 12, x, height - 16, '#202020' if tenth == 10 else '#c8c8c8', 1, '' if tenth == 10 else '3 3'),
                text(x, TOP - 18, f'{tenth / 10:.1f}', 'middle', 11)]
    return out


def svg(about, results):
    body, y = [], TOP
    for result in results:
        bars = drawn(result)
        if not bars:
            continue
        body.append(text(LEFT - 10, y + BAR - 3, result.row.name, 'end', 12, 'bold'))
        for ratio, goal in bars:
            body += bar(y, ratio, goal)
            y += BAR + 4
        y += GAP
    height = y + 24
    head = [text(12, 22, 'What bal needs for the same work, against others (1.0 = as much; shorter is better)',
                 size=14, weight='bold'),
            text(12, height - 6, '; '.join(about['versions'].values()), size=10)]
    return '\n'.join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
                      f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
                      f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>', *head, *ruler(height), *body,
                      '</svg>', ''])
