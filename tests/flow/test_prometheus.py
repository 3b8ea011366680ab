#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What ships for Prometheus and Grafana: the alerts do fire, the dashboard asks for what there is,
and a real Prometheus reads bal."""

import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request

import rig

PROMETHEUS = os.path.join(rig.SOURCE, 'sample/prometheus')
DASHBOARD = os.path.join(rig.SOURCE, 'sample/grafana/bal.json')
PARTS = ('summary', 'what_happened', 'why_likely', 'do_this_now')


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def metrics_of(expression):
    """The names of metrics in an expression: what is neither a function nor a label nor a word of the language."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]', ' ', expression)  # values, selectors, ranges
    bare = re.sub(r'\b(by|on|without|ignoring)\s*\([^)]*\)', ' ', bare)
    return set(re.findall(r'\b(?!and\b|or\b|unless\b)[a-z][a-z0-9_]*\b(?!\s*\()', bare))


def expressions_of_rules():
    """alert: expression"""
    found = {}
    for block in re.split(r'^ +- alert: ', read(os.path.join(PROMETHEUS, 'bal.rules.yml')), flags=re.M)[1:]:
        expression = re.search(r'^ +expr: (?:>-\n)?(.*?)\n +(?:for|labels):', block, re.M | re.S).group(1)
        found[block.split('\n', 1)[0]] = ' '.join(expression.split())
    return found


def expressions_of_dashboard():
    return [t['expr'] for panel in json.loads(read(DASHBOARD))['panels'] for t in panel['targets']]


class Shipped(rig.FlowTest):
    def families(self):
        """What a bal with both kinds of frontends serves: the names of samples."""
        port, other, at = rig.free_port(), rig.free_port(), rig.free_port()
        web = self.backend('web').address
        self.bal(rig.document(rig.pool('tcp', port, [web]), rig.pool('http', other, [web], frontend={'protocol': 'http'}),
                              metrics={'address': f'127.0.0.1:{at}'}, max_connections=100))
        rig.get(port)
        rig.get(other)

        def served():
            with urllib.request.urlopen(f'http://127.0.0.1:{at}/metrics', timeout=10 * rig.SLOW) as answer:
                return {line.split('{')[0].split(' ')[0] for line in answer.read().decode().splitlines()
                        if not line.startswith('#')}
        rig.wait_until(lambda: 'bal_backend_health_check_duration_seconds' in served(), 'the first check', step=0.15)
        return served()

    def test_metrics_exist(self):
        there = self.families() | {'up'}
        for expression in list(expressions_of_rules().values()) + expressions_of_dashboard():
            self.assertTrue(metrics_of(expression), expression)
            self.assertLessEqual(metrics_of(expression), there, expression)

    def test_rules(self):
        self.need('promtool')
        self.assertIn(f'{len(expressions_of_rules())} rules found', self.run_ok(['promtool', 'check', 'rules', f'{PROMETHEUS}/bal.rules.yml']))
        self.run_ok(['promtool', 'check', 'config', '--syntax-only', f'{PROMETHEUS}/prometheus.yml'])
        self.run_ok(['promtool', 'test', 'rules', 'bal.rules.test.yml'], cwd=PROMETHEUS)

    def test_each_alert_is_tested(self):
        """Quiet, firing, quiet again; and each tells three things."""
        tests = read(os.path.join(PROMETHEUS, 'bal.rules.test.yml'))
        rules = read(os.path.join(PROMETHEUS, 'bal.rules.yml'))
        alerts = expressions_of_rules()
        self.assertGreaterEqual(len(alerts), 13)
        for alert in alerts:
            self.assertEqual(len(re.findall(rf'alertname: {alert}, eval_time: \w+, exp_alerts: \[\]', tests)), 2, alert)
            self.assertEqual(len(re.findall(rf'alertname: {alert}\n +eval_time: \w+\n +exp_alerts:\n +- exp_labels', tests)), 1)
            block = rules.split(f'- alert: {alert}\n')[1].split('- alert: ')[0]
            self.assertRegex(block, r'labels: \{ severity: (critical|warning|info) \}')
            for part in PARTS:
                self.assertRegex(block, rf'\n +{part}: "[^"]+"', alert)

    def test_commands_in_alerts(self):
        """What somebody is told to type is a command of bal, with options that it has."""
        for line in re.findall(r'do_this_now: "(.*)"', read(os.path.join(PROMETHEUS, 'bal.rules.yml'))):
            for command in re.findall(r'\bbal ((?:[a-z]+)(?: (?:list|enable|maint|drain)\b)?[^;(),]*)', line):
                words = command.split()
                verb = words[:2] if words[0] == 'backend' else words[:1]
                known = self.run_ok([rig.BAL, *verb, '--help'])
                for option in re.findall(r'--[a-z]+', command):
                    self.assertIn(option, known, command)

    def test_dashboard(self):
        """For any data source, and every panel once."""
        board = json.loads(read(DASHBOARD))
        panels = board['panels']
        self.assertEqual(len(panels), 13)
        self.assertEqual(len({p['id'] for p in panels}), 13)
        self.assertEqual(len({p['title'] for p in panels}), 13)
        self.assertNotIn('uid', board)
        self.assertNotIn('id', board)
        self.assertEqual(set(re.findall(r'"uid": "([^"]*)"', read(DASHBOARD))), {'${datasource}'})
        self.assertEqual([v['name'] for v in board['templating']['list']], ['datasource', 'instance'])
        taken = set()
        for p in panels:
            at = p['gridPos']
            self.assertLessEqual(at['x'] + at['w'], 24)
            cells = {(x, y) for x in range(at['x'], at['x'] + at['w']) for y in range(at['y'], at['y'] + at['h'])}
            self.assertFalse(taken & cells, p['title'])
            taken |= cells
            self.assertTrue(p['description'], p['title'])
            self.assertEqual(len({t['refId'] for t in p['targets']}), len(p['targets']))

    def test_installed(self):
        self.need('meson')
        build = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(rig.BAL))))
        plan = json.loads(self.run_ok(['meson', 'introspect', '--installed', build])).values()
        for name in ('prometheus/bal.rules.yml', 'prometheus/prometheus.yml', 'grafana/bal.json'):
            self.assertEqual(len([path for path in plan if path.endswith(f'/share/bal/{name}')]), 1, name)


class Real(rig.FlowTest):
    def ask(self, what, **parameters):
        url = f'http://127.0.0.1:{self.web}/api/v1/{what}?{urllib.parse.urlencode(parameters)}'
        with urllib.request.urlopen(url, timeout=10 * rig.SLOW) as answer:
            return json.load(answer)['data']

    def value(self, query):
        result = self.ask('query', query=query)['result']
        return float(result[0]['value'][1]) if result else None

    def is_up(self):
        try:
            return self.value('up{job="bal"}')
        except (OSError, urllib.error.URLError):
            return None

    def test_scrape(self):
        self.need('prometheus')
        port, at, self.web = rig.free_port(), rig.free_port(), rig.free_port()
        bal = self.bal(rig.document(rig.pool('web', port, [self.backend('one').address, self.backend('two').address]),
                                    metrics={'address': f'127.0.0.1:{at}'}, max_connections=100))
        config = read(os.path.join(PROMETHEUS, 'prometheus.yml')).replace('127.0.0.1:9091', f'127.0.0.1:{at}')
        config = config.replace('/usr/share/bal/prometheus', PROMETHEUS).replace('15s', '1s')
        with open(f'{self.dir}/prometheus.yml', 'w', encoding='utf-8') as f:
            f.write(config)
        server = self.start('prometheus', [
            'prometheus', f'--config.file={self.dir}/prometheus.yml', f'--storage.tsdb.path={self.dir}/data',
            f'--web.listen-address=127.0.0.1:{self.web}', '--log.level=warn'])
        rig.wait_until(lambda: self.is_up() == 1 or not server.alive(), 'up == 1', 30, step=0.2)
        self.assertTrue(server.alive(), server.output())
        target = self.ask('targets')['activeTargets'][0]
        self.assertEqual((target['health'], target['lastError']), ('up', ''))
        for _ in range(5):
            rig.get(port)
        rig.wait_until(lambda: self.value('sum(bal_frontend_connections_total)') == 5, 'five connections', 20, step=0.2)
        self.assertEqual(self.value('sum(bal_backend_up)'), 2)
        self.assertEqual(self.value('count(bal_build_info)'), 1)
        for expression in expressions_of_dashboard():  # Prometheus understands each of them
            query = expression.replace('$__rate_interval', '1m').replace('$instance', '.*')
            self.assertIsInstance(self.ask('query', query=query)['result'], list, expression)
        rules = [rule for group in self.ask('rules')['groups'] for rule in group['rules']]
        self.assertEqual(len(rules), len(expressions_of_rules()))
        rig.wait_until(lambda: all(rule['health'] == 'ok' for group in self.ask('rules')['groups'] for rule in group['rules']),
                       'all rules to be evaluated', 20, step=0.2)
        self.assertEqual(self.ask('alerts')['alerts'], [], 'nothing is wrong')
        bal.cli('stop', check=0)
        rig.wait_until(lambda: self.is_up() == 0, 'up == 0', 20, step=0.2)


if __name__ == '__main__':
    rig.main()
