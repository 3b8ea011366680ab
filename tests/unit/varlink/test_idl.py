#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The .varlink files parse, and say what the tables and the manual page say.

test_idl.py PROTOCOL_H PAGE FILE.varlink..
"""

import copy
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../flow'))
import varlink_idl

STRING = r'"([^"]*)"'
PROTOCOL_H, PAGE, *PATHS = sys.argv[1:]
IDL = {i.name: i for i in map(varlink_idl.load, PATHS)}

STATUS = {
    'verdict': 'OK', 'version': '0.1.0', 'hostname': 'lb1', 'running': True, 'pid': 7,
    'uptime_s': 3, 'config_path': '/etc/bal/config.yaml', 'config_number': 1,
    'config_loaded_at': '2026-11-20T12:04:28.412Z', 'bind_address': '0.0.0.0', 'port': 9295,
    'method': 'round_robin', 'draining': False, 'restarting': False, 'workers': 2, 'backend_total': 1,
    'backend_reachable': 1, 'active_connections': 0, 'max_connections': 80000,
    'connections_total': 0, 'rejected_total': 0, 'last_check_time': None,
    'rates': {'new_per_s': 0.0, 'rejected_per_s': 0, 'timeout_per_s': 0.5, 'refused_per_s': 0.0,
              'other_per_s': 0.0},
    'protection_mode': {'enabled': False, 'reason': None},
    'frontends': [{'name': 'main', 'listen': ['0.0.0.0:9295'], 'protocol': 'tcp',
                   'method': 'round_robin', 'pool': 'main', 'active_connections': 0,
                   'max_connections': 80000, 'waiting': 0,
                   'waiting_for': {'slot': 0, 'backend_full': 0, 'backend_down': 0}, 'waited_total': 0,
                   'waited_in_vain': {'queue_timeout': 0, 'hold_timeout': 0, 'client_left': 0, 'other': 0},
                   'connections_total': 0, 'rejected_total': 0,
                   'rejected': {'max_connections': 0, 'no_backend': 0, 'protection': 0, 'no_ports': 0,
                                'resources': 0}}],
    'pools': [{'name': 'main', 'backend_total': 1, 'backend_reachable': 1, 'unavailable_total': 0,
               'holding': 0, 'held_total': 0, 'held_in_vain_total': 0,
               'protection': {'enabled': False, 'reason': None, 'since': None, 'failures': 0,
                              'trigger': 10, 'window_ms': 30000, 'successes': 0, 'stable': 12,
                              'activations': {'timeout_or_refused_storm': 0}, 'last_ms': None}}],
    'leaving': [{'pool': 'main', 'name': 'b', 'active_connections': 3,
                 'since': '2026-11-20T12:04:28.412Z'}],
    'closed': {'client_eof': 4}, 'log': 'stderr', 'log_error': None, 'log_dropped': 0, 'log_suppressed': 0,
    'backends': [{'address': '10.0.0.1:80', 'name': 'a', 'pool': 'main', 'state': 'up',
                  'since': '2026-11-20T12:04:28.412Z', 'reason': None, 'reason_text': None,
                  'weight': 1, 'weight_configured': 1, 'slow_start_percent': None,
                  'backup': False, 'max_connections': 0, 'reachable': True, 'retry_in_ms': None,
                  'deadline_in_ms': None, 'oldest_connection_s': None, 'state_changes': 0,
                  'check': {'type': 'tcp', 'last_result': None, 'last_time': None,
                            'duration_ms': None, 'interval_ms': 500, 'passed': 0, 'failed': 0,
                            'failed_in_a_row': 0, 'passed_in_a_row': 0, 'fall': 2, 'rise': 1},
                  'new_per_s': 0.0, 'failed_per_s': 0.5,
                  'active_connections': 0, 'idle_connections': 0,
                  'connections_total': 0, 'bytes_in': 0, 'bytes_out': 0,
                  'last_check_time': None, 'counters': {'timeout': 0, 'refused': 0, 'other': 0, 'closed': 0}}],
}


def rows(table):
    """The rows of an X-macro: id, interface, name, parameters."""
    with open(PROTOCOL_H, encoding='ascii') as f:
        text = f.read()
    body = re.search(rf'#define {table}\(X\)((?:.*\\\n)*.*)', text)[1].replace('\\\n', ' ')
    return re.findall(rf'X\((\w+),\s*(\w+),\s*{STRING},\s*{STRING}', body)


def words(text):
    return {word for word in re.split(', *', text) if word}


NAMES = {'SERVICE': 'org.varlink.service', 'STATUS': 'io.bal.Status', 'ADMIN': 'io.bal.Admin'}


class Idl(unittest.TestCase):
    def test_methods(self):
        table = {(NAMES[i], n): words(p) for _, i, n, p in rows('BAL_METHODS')}
        idl = {(i.name, n): set(m[0][1]) for i in IDL.values() for n, m in i.methods.items()}
        self.assertEqual(table, idl)
        self.assertGreaterEqual(len(table), 5)

    def test_errors(self):
        table = {(NAMES[i], n): words(p) for _, i, n, p in rows('BAL_ERRORS')}
        idl = {(i.name, n): set(e[1]) for i in IDL.values() for n, e in i.errors.items()}
        self.assertEqual(table, idl)

    def test_states_of_sessions(self):
        """They are the phases that src/proxy/session.h knows, in its order."""
        with open(os.path.join(os.path.dirname(PROTOCOL_H), '../../src/proxy/session.h'), encoding='ascii') as f:
            body = re.search(r'#define SESSION_PHASES\(X\)((?:.*\\\n)*.*)', f.read())[1]
        phases = list(dict.fromkeys(re.findall(rf'X\(\w+, {STRING}\)', body)))
        self.assertIn('hold', phases)
        self.assertEqual(list(IDL['io.bal.Status'].types['Session'][1]['state'][1]), phases)

    def test_manual_page(self):
        """Every method, error and member of a document is in the page."""
        with open(PAGE, encoding='utf-8') as f:
            words = set(re.findall(r'[\w.]+', f.read()))
        missing = []
        for i in IDL.values():
            missing += [n for n in i.methods if n not in words]
            missing += [n for n in i.errors if f'{i.name}.{n}' not in words]
            for where, t in i.all_types():
                names = t[1] if t[0] in ('struct', 'enum') else []
                missing += [f'{where}.{n}' for n in names if n not in words]
        self.assertEqual(missing, [])

    def test_status_document(self):
        status = IDL['io.bal.Status']
        self.assertEqual(status.check_reply('Get', STATUS), [])

    def test_checker_finds(self):
        """What the flow tests lean on: each of these is one problem, at the right place."""
        for path, value, where in [
            (['pid'], 'seven', 'pid: int'),
            (['pid'], True, 'pid: int'),
            (['port'], '80', 'port: int'),
            (['running'], 1, 'running: bool'),
            (['verdict'], 'FINE', 'verdict: one of'),
            (['closed', 'x'], None, 'closed[x]: int'),
            (['closed'], [], 'closed: object'),
            (['pools'], {}, 'pools: array'),
            (['backends', 0, 'state'], 'UP', 'backends[0].state: one of'),
            (['backends', 0, 'extra'], 1, 'backends[0].extra: not in'),
            (['rates', 'new_per_s'], None, 'rates.new_per_s: float'),
            (['hostname'], None, 'hostname: string'),
        ]:
            doc = copy.deepcopy(STATUS)
            at = doc
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = value
            found = IDL['io.bal.Status'].check_reply('Get', doc)
            self.assertEqual(len(found), 1, (path, found))
            self.assertTrue(found[0].startswith(where), found)
        doc = copy.deepcopy(STATUS)
        del doc['protection_mode']['reason']
        self.assertEqual(IDL['io.bal.Status'].check_reply('Get', doc),
                         ['protection_mode.reason: missing'])

    def test_parser_refuses(self):
        for text in ['', 'interface', 'interface a.b\ntype X (a: Y)', 'interface a.b\ntype x (a: int)',
                     'interface a.b\ntype X (a: int, b)', 'interface a.b\ntype X (a: int b: int)',
                     'interface a.b\nmethod X() -> (a, b)', 'interface a.b\nmethod X()',
                     'interface a.b\ntype X ()\nerror X ()', 'interface a.b\ntype X (a_: int)',
                     'interface a.b\ntype X (a: int, a: int)', 'interface a.b\ntype X (a: int',
                     'interface a.b\ntype X (a: %)']:
            with self.assertRaises((varlink_idl.Bad, IndexError), msg=text):
                varlink_idl.Interface(text)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
