#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bal-logs(7) and bal.catalog say what the code does: logs_page.py SOURCE

Levels, events and close reasons are those of the tables, in their order and with their words; the
levels and fields of each event are those of the lines of C that log it. The catalog explains each
event, by its id, and names no field that the event does not have; journalctl can read it.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.path.abspath(sys.argv.pop(1) if len(sys.argv) > 1 else '.')
STRING = r'"((?:[^"\\]|\\.)*)"'


def read(path):
    with open(os.path.join(SOURCE, path), encoding='utf-8') as f:
        return f.read()


def table(path, macro):
    """The rows X(name, .., "help") of one X-macro: name -> (its strings), in order."""
    body = re.search(rf'#define {macro}\(X\)((?:.*\\\n)*.*)', read(path)).group(1)
    rows = re.findall(r'X\((\w+),((?:[^"()]|"[^"]*")*)\)', body)
    return {name: re.findall(STRING, rest) for name, rest in rows}


def section(title):
    """The items of one list of the page: word -> (level words, lines of its text), in order."""
    page = read('docs/bal-logs.7')
    body = re.search(rf'^\.Ss {title}\n(.*?)(?=^\.S[sh] )', page, re.S | re.M).group(1)
    items = {}
    for head, text in re.findall(r'^\.It Li (.*)\n((?:(?!\.It |\.El).*\n)*)', body, re.M):
        word, _, levels = head.partition(' Pq ')
        assert word not in items, word
        items[word] = (levels.split(', ') if levels else [], text.splitlines())
    return items


def sentence(text):
    return text[0].upper() + text[1:] + '.'


def words(lines):
    """The first sentence of an item, which the tables know."""
    text = ' '.join(line for line in lines if not line.startswith('.'))
    return re.match(r'.*?\.(?= |$)', text).group(0) if text else ''


def fields(lines):
    """What stands in .Li behind "Fields:", without remarks in parentheses."""
    if 'Fields:' not in lines:
        return set()
    text = '\n'.join(lines[lines.index('Fields:') + 1:])
    text = re.sub(r'\([^()]*\)|^\.Pq .*$', '', text, flags=re.M)
    return set(re.findall(r'\w+', ' '.join(re.findall(r'^\.Li (.*)$', text, re.M))))


def balanced(text, start):
    """The text from an opening parenthesis to its end, strings respected."""
    depth = 0
    for m in re.finditer(STRING + r'|[()]', text[start:]):
        depth += {'(': 1, ')': -1}.get(m.group(0), 0)
        if depth == 0:
            return text[start:start + m.end()]
    raise ValueError(text[start:start + 80])


def fields_in(code):
    return set(re.findall(r'\bF_(?:STR|U64|I64|BOOL)\(' + STRING, code)) | \
        ({'error'} if re.search(r'\bF_ERR\(', code) else set()) | \
        ({'client'} if re.search(r'\bF_CLIENT\(', code) else set())


def logged():
    """event -> (levels, fields) of all lines of C that log it."""
    found = {}

    def add(event, level, code):
        levels, keys = found.setdefault(event, (set(), set()))
        levels.add(level)
        keys |= fields_in(code)

    for path in glob.glob(os.path.join(SOURCE, 'src/*/*.c')):
        text = read(path)
        for m in re.finditer(r'\blog_(error|warn|info|debug)(?=\((\w+),)', text):
            add(m.group(2), m.group(1).upper(), balanced(text, m.end()))
        # some emit without the macro; their fields follow within the function
        for m in re.finditer(r'LOG_SITE\(\s*LOG_LEVEL_(\w+), (\w+),(.*?)\n\}', text, re.S):
            add(m.group(2), m.group(1), m.group(3))
    return found


class Page(unittest.TestCase):
    maxDiff = None

    def test_levels(self):
        rows = table('src/core/log.h', 'LOG_LEVELS')
        self.assertEqual({word: words(lines) for word, (_, lines) in section('Levels').items()},
                         {strings[0]: sentence(strings[-1]) for strings in rows.values()})

    def test_events(self):
        rows = table('src/core/log_events.h', 'LOG_EVENTS')
        items = section('Events')
        self.assertGreater(len(rows), 20)
        self.assertEqual(list(items), list(rows))
        for event, strings in rows.items():
            self.assertEqual(words(items[event][1]), sentence(strings[-1]), event)

    def test_fields_and_levels_of_events(self):
        found = logged()
        items = section('Events')
        self.assertEqual(sorted(found), sorted(items), 'events that are logged, events on the page')
        for event, (levels, lines) in items.items():
            self.assertEqual(set(levels), found[event][0], event)
            self.assertEqual(fields(lines), found[event][1], event)
            self.assertTrue('Fields:' in lines or 'No fields.' in lines, event)

    def test_clients(self):
        """An address of a client goes through the one macro that asks log_clients, and the page says so."""
        named = {event for event, (_, lines) in section('Events').items() if 'client' in fields(lines)}
        self.assertGreaterEqual(named, {'session_closed', 'http_request', 'http_refused'})
        for event in named:
            self.assertIn('log_clients is true', ' '.join(section('Events')[event][1]), event)
        for path in glob.glob(os.path.join(SOURCE, 'src/*/*.[ch]')):
            if not path.endswith('/core/log.h'):
                self.assertNotRegex(read(path), r'F_STR\("client"', path)

    def test_close_reasons(self):
        rows = re.findall(r'^REASON\(\w+,\s*' + STRING + r',\s*' + STRING, read('src/proxy/reasons.h'), re.M)
        items = section('Close reasons')
        self.assertGreater(len(rows), 5)
        self.assertEqual([(word, words(lines)) for word, (_, lines) in items.items()],
                         [(word, sentence(help)) for word, help in rows])


CATALOG = 'docs/bal.catalog'


def catalog():
    """event -> (id, header, text), in order."""
    entries = re.findall(r'^# (\w+)\n-- (\w+)\n((?:.+\n)+)\n((?:(?!# \w+\n-- ).*\n?)*)', read(CATALOG), re.M)
    return {event: (number, dict(line.split(': ', 1) for line in header.splitlines()), text)
            for event, number, header, text in entries}


class Catalog(unittest.TestCase):
    maxDiff = None

    def test_every_event_is_in_it(self):
        rows = table('src/core/log_events.h', 'LOG_EVENTS')
        self.assertEqual([(event, number) for event, (number, _, _) in catalog().items()],
                         [(event, strings[0]) for event, strings in rows.items()])

    def test_ids_are_unique(self):
        numbers = re.findall(r'^-- (\w+)$', read(CATALOG), re.M)
        self.assertEqual(len(set(numbers)), len(numbers))
        for number in numbers:
            self.assertRegex(number, r'^[0-9a-f]{32}$')

    def test_entries(self):
        items = section('Events')
        for event, (_, header, text) in catalog().items():
            self.assertEqual(list(header), ['Subject', 'Defined-By', 'Documentation'], event)
            self.assertEqual(header['Documentation'], 'man:bal-logs(7)')
            meaning, _, remedy = text.strip().rpartition('\n\n')
            self.assertTrue(meaning and remedy, f'{event}: what it means, and what to do')
            known = {'BAL_' + field.upper() for field in fields(items[event][1])}
            self.assertEqual(set(re.findall(r'@(\w+)@', text)) - known, set(), event)

    @unittest.skipUnless(shutil.which('journalctl'), 'needs journalctl')
    def test_journalctl_reads_it(self):
        with tempfile.TemporaryDirectory() as root:
            for path in ('usr/lib/systemd/catalog', 'var/lib/systemd/catalog'):
                os.makedirs(os.path.join(root, path))
            shutil.copy(os.path.join(SOURCE, CATALOG), os.path.join(root, 'usr/lib/systemd/catalog'))

            def journalctl(option):
                done = subprocess.run(['journalctl', f'--root={root}', option], capture_output=True,
                                      text=True, timeout=60)
                self.assertEqual((done.returncode, done.stderr), (0, ''), option)
                return done.stdout

            journalctl('--update-catalog')
            self.assertEqual(sorted(line.split()[0] for line in journalctl('--list-catalog').splitlines()),
                             sorted(number for number, _, _ in catalog().values()))
            dump = journalctl('--dump-catalog')
            for event, (_, _, text) in catalog().items():
                self.assertIn(text.strip(), dump, event)


if __name__ == '__main__':
    unittest.main()
