#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bal doctor under a real systemd: silent about a service that is well, and what it finds in a unit."""

import json
import os
import signal
import time

import box


class Doctor(box.BoxTest):
    def look(self, *args, status=0, **options):
        doc = json.loads(self.bal('doctor', '--json', *args, status=status, **options).stdout)
        return {check['name']: check for check in doc['checks']}

    def trouble(self, by):
        return {name: check['summary'] for name, check in by.items() if check['level'] != 'ok'}

    def serve(self, head='runtime: { max_concurrent_connections: 100 }'):
        self.configure(box.simple(9295, [self.backend('one'), self.backend('two')], head))
        self.systemctl('start', 'bal')

    def by_hand(self, *args):
        """A daemon of root's, beside the unit, in a directory of its own."""
        os.makedirs('/run/by-hand', exist_ok=True)
        self.bal('start', '-d', '-c', box.CONFIG, *args, env={'RUNTIME_DIRECTORY': '/run/by-hand'})
        self.addCleanup(self.bal, 'stop', '--socket', '/run/by-hand/status.sock', status=None)

    def test_silent(self):
        self.serve()
        by = self.look()
        self.assertEqual(self.trouble(by), {})
        pid = self.pid()
        self.assertEqual(by['bind']['summary'], f'0.0.0.0:9295 is owned by pid {pid}')
        self.assertEqual(by['pid']['summary'], f'/run/bal/bal.pid is held by pid {pid}')
        self.assertRegex(by['unit']['summary'], r'^bal\.service is active, \S+; LimitNOFILE=\d+ Restart=on-failure$')
        self.assertIn('/run/bal/status.sock (bal:bal 0660)', by['sockets']['summary'])
        self.assertRegex(by['fds']['summary'], r'^\d+ of \d+ in use')

    def test_silent_for_its_group(self):
        """Who may only read status is not told that something was wrong."""
        self.serve()
        by = self.look(user='daemon', groups=('bal',))
        self.assertEqual(self.trouble(by), {})
        self.assertEqual(by['bind']['summary'], f'0.0.0.0:9295 is owned by pid {self.pid()}')

    def test_for_strangers(self):
        self.serve()
        by = self.look(user='daemon')
        self.assertEqual(set(self.trouble(by)), {'daemon', 'sockets'})
        self.assertIn("'daemon' is not in group 'bal'", by['daemon']['why_likely'])
        self.assertEqual(by['daemon']['do_this_now'],
                         'sudo bal doctor   (or: sudo usermod -aG bal daemon, log in again)')

    def test_silent_with_sockets_of_systemd(self):
        """PID 1 has them too."""
        self.configure(box.simple(9295, [self.backend('one')], 'runtime: { max_concurrent_connections: 100 }'))
        self.systemctl('start', 'bal.socket', 'bal-status.socket', 'bal-admin.socket', 'bal.service')
        by = self.look()
        self.assertEqual(self.trouble(by), {})
        self.assertEqual(by['bind']['summary'], f'0.0.0.0:9295 is owned by pid {self.pid()}')

    def test_stopped(self):
        self.configure(box.simple(9295, [self.backend('one')], 'runtime: { max_concurrent_connections: 100 }'))
        by = self.look()
        self.assertEqual(set(self.trouble(by)), {'daemon'})
        self.assertRegex(by['unit']['summary'], r'^bal\.service is inactive')
        self.assertEqual(by['daemon']['do_this_now'], 'bal check && systemctl start bal')
        self.systemctl('start', 'bal.socket')
        by = self.look()
        self.assertEqual(set(self.trouble(by)), {'daemon'})
        self.assertRegex(by['bind']['summary'], r'^0\.0\.0\.0:9295 is held by systemd; the first connection starts bal')

    def test_failed(self):
        self.configure('port: nonsense\n')
        self.systemctl('start', 'bal', status=None)
        by = self.look(status=1)
        self.assertEqual(by['unit']['level'], 'warn')
        self.assertRegex(by['unit']['summary'], r'^bal\.service has failed \(exit-code, status 78\)$')
        self.assertEqual(by['unit']['why_likely'], 'the configuration is wrong')
        self.assertIn('journalctl -u bal.service', by['unit']['do_this_now'])
        self.assertEqual(by['config']['level'], 'critical')

    def test_status_of_the_stopped(self):
        """It says how the last one ended, and starts bal the way this machine does."""
        def said():
            doc = json.loads(self.bal('status', '--json').stdout)
            self.assertFalse(doc['running'])
            self.assertEqual(doc['do_this_now'], 'bal check && systemctl start bal')
            return doc['why_likely']
        self.serve()
        self.systemctl('stop', 'bal')
        # of one that is not enabled systemd forgets a good end
        self.assertRegex(said(), r'^not started(; last exit \d\d:\d\d:\d\d status 0)?$')
        self.drop_in('[Service]\nRestart=no\n')
        self.systemctl('start', 'bal')
        box.kill(self.pid(), signal.SIGKILL)
        box.wait_until(lambda: self.show('ActiveState') == 'failed', 'systemd to notice')
        self.assertRegex(said(), r'; last exit \d\d:\d\d:\d\d by signal 9 \(Killed\)$')
        self.configure('port: nonsense\n')
        self.systemctl('start', 'bal', status=None)
        self.assertRegex(said(), r'; last exit \d\d:\d\d:\d\d status 78 \(configuration\)$')
        self.assertIn('systemctl start bal', self.bal('status').stdout)
        self.serve()  # the killed one has left its files behind; this one takes them away when it goes
        self.systemctl('stop', 'bal')

    def test_by_hand(self):
        self.serve()
        self.configure(box.simple(9296, [self.backend('three')], 'runtime: { max_concurrent_connections: 100 }'))
        self.by_hand()
        by = self.look('--socket', '/run/by-hand/status.sock')
        self.assertEqual(set(self.trouble(by)), {'unit'}, self.trouble(by))
        self.assertRegex(by['unit']['summary'], r'^pid \d+ was started by hand, beside bal\.service \(active\)$')
        self.assertIn('systemctl start bal', by['unit']['do_this_now'])

    def test_unit_that_is_not_in_force(self):
        self.drop_in('[Service]\nNice=1\n')
        self.serve()
        time.sleep(0.1)
        with open('/etc/systemd/system/bal.service.d/0.conf', 'a', encoding='ascii') as f:
            f.write('Nice=2\n')
        by = self.look()
        self.assertEqual(set(self.trouble(by)), {'unit'})
        self.assertIn('was changed and is not in force', by['unit']['summary'])
        self.assertEqual(by['unit']['do_this_now'], 'systemctl daemon-reload')

    def test_never_started_again(self):
        self.drop_in('[Service]\nRestart=no\n')
        self.serve()
        by = self.look()
        self.assertIn('has Restart=no', self.trouble(by)['unit'])

    def test_few_descriptors(self):
        self.drop_in('[Service]\nLimitNOFILE=500\n')
        self.serve('runtime: { max_concurrent_connections: 1000 }')
        by = self.look()
        self.assertRegex(self.trouble(by)['fds'], r'^\d+ connections of 1000 fit into 500 descriptors$')

    def test_owner_in_another_unit(self):
        """Of a port that is taken: the service is named, not only the process."""
        self.unit('bal-test-other.service', '[Service]\nExecStart=/usr/bin/python3 -c "import socket, time; '
                  's = socket.create_server((\'0.0.0.0\', 9295)); time.sleep(600)"\n')
        self.addCleanup(box.run, 'systemctl', 'stop', 'bal-test-other.service')
        self.systemctl('start', 'bal-test-other.service')
        box.wait_until(lambda: box.listens(9295), 'the other one to listen')
        self.configure(box.simple(9295, [self.backend('one')], 'runtime: { max_concurrent_connections: 100 }'))
        by = self.look(status=1)
        pid = self.pid('bal-test-other.service')
        self.assertEqual(by['bind']['level'], 'critical')
        self.assertIn(f'(pid {pid}, bal-test-other.service)', by['bind']['what_happened'])
        self.assertIn(f'systemctl status {pid}', by['bind']['do_this_now'])

    def test_manager_that_is_stuck(self):
        """It is not waited for; what can be known without it is."""
        self.serve()
        bus = [int(pid) for pid in box.run('pgrep', '-x', 'dbus-daemon').stdout.split()]
        self.assertTrue(bus)
        for pid in bus:
            os.kill(pid, signal.SIGSTOP)
            self.addCleanup(os.kill, pid, signal.SIGCONT)
        start = time.monotonic()
        by = self.look()
        took = time.monotonic() - start
        for pid in bus:
            os.kill(pid, signal.SIGCONT)
        self.assertLess(took, 2.0)
        self.assertIn('not known', by['unit']['summary'])
        self.assertLessEqual(set(self.trouble(by)), {'unit'})


if __name__ == '__main__':
    box.main()
