#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The file changes under bal: in every way in which editors and tools write files."""

import os
import socket
import subprocess
import time

import rig

NOTICE_S = 5   # until it must be in force
CALM_S = 1.0 * rig.SLOW  # nothing happens for so long: nothing will


class Watch(rig.FlowTest):
    def stage(self, *args, head='', **how):
        self.port = rig.free_port()
        self.webs = [self.backend('zero').address, self.backend('one').address]
        self.head = head
        self.which = 0
        return self.bal(self.text(0), *args, watch=True, **how)

    def text(self, which):
        return rig.simple(self.port, [self.webs[which]], self.head)

    def turn(self, bal, write, how):
        """write(path, text) brings the other backend into the file; bal must notice."""
        self.which = 1 - self.which
        number = bal.get()['config_number']
        start = time.monotonic()
        write(bal.config_path, self.text(self.which))
        rig.wait_until(lambda: bal.get()['config_number'] > number, f'it to notice: {how}', NOTICE_S)
        took = time.monotonic() - start
        self.assertEqual(rig.get(self.port), ['zero', 'one'][self.which], how)
        return took

    def unmoved(self, bal, number=None):
        number = number or bal.get()['config_number']
        time.sleep(CALM_S)
        self.assertEqual(bal.get()['config_number'], number)

    @staticmethod
    def in_place(path, text):
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)

    @staticmethod
    def slowly(path, text):
        """Not at once: every half of it would be an error, and one of them a smaller pool."""
        with open(path, 'w', encoding='utf-8', buffering=1) as f:
            for line in text.splitlines(True):
                f.write(line)
                f.flush()
                time.sleep(0.05)

    @staticmethod
    def renamed(path, text):
        with open(path + '.new', 'w', encoding='utf-8') as f:
            f.write(text)
        os.rename(path + '.new', path)

    @staticmethod
    def like_vim(path, text):
        """backupcopy=no: the old file is moved away, a new one written, the old one removed."""
        os.rename(path, path + '~')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
            os.fsync(f.fileno())
        os.chmod(path, 0o600)
        os.unlink(path + '~')

    @staticmethod
    def removed_and_back(path, text):
        os.unlink(path)
        time.sleep(0.4)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)

    def sed(self, path, text):
        """sed -i, as scripts do."""
        other = self.webs[self.which].rsplit(':', 1)[1]
        ours = self.webs[1 - self.which].rsplit(':', 1)[1]
        subprocess.run(['sed', '-i', f's/port: {ours}$/port: {other}/', path], check=True)
        with open(path, encoding='utf-8') as f:
            assert f.read() == text

    def test_every_way_of_writing(self):
        bal = self.stage()
        took = {}
        for write in (self.in_place, self.slowly, self.renamed, self.like_vim, self.removed_and_back, self.sed,
                      self.in_place, self.renamed):
            took[write.__name__] = self.turn(bal, write, write.__name__)
        print('noticed after', ', '.join(f'{name} {1000 * t:.0f} ms' for name, t in took.items()))
        self.assertEqual(bal.get()['config_number'], 9, 'once for each')
        self.assertEqual(bal.events('config_rejected'), [])

    def test_symbolic_links(self):
        """As Kubernetes mounts a ConfigMap: file -> ..data/file, and ..data is switched."""
        bal = self.stage('--no-watch')  # only for its directory
        home = f'{self.dir}/mounted'
        for which in (0, 1):
            os.makedirs(f'{home}/..{which}')
            self.in_place(f'{home}/..{which}/config.yaml', self.text(which))
        os.symlink('..0', f'{home}/..data')
        os.symlink('..data/config.yaml', f'{home}/config.yaml')
        bal.cli('stop', check=0)
        bal.wait()
        bal = self.bal(None, command=[rig.BAL, 'start', '-c', f'{home}/config.yaml'])

        def switch(_, text):
            os.symlink(f'..{self.which}', f'{home}/..tmp')
            os.rename(f'{home}/..tmp', f'{home}/..data')
        for _ in range(3):
            self.turn(bal, switch, 'a link that is switched')
        bal.config_path = f'{home}/..{1 - self.which}/config.yaml'
        self.in_place(bal.config_path, 'rubbish: yes\n')  # not the one it points to
        self.unmoved(bal)
        bal.config_path = f'{home}/..{self.which}/config.yaml'
        self.turn(bal, self.in_place, 'the file behind the link')

    def test_a_broken_file_is_reported_once(self):
        bal = self.stage()
        self.in_place(bal.config_path, self.text(0) + 'nonsense: true\n')
        rejected = bal.log_wait('config_rejected')
        self.assertIn('nonsense', str(rejected[0]['fields']))
        self.assertEqual(rig.get(self.port), 'zero')
        os.utime(bal.config_path)
        self.renamed(bal.config_path, self.text(0) + 'nonsense: true\n')  # the same text again
        self.unmoved(bal, 1)
        self.assertEqual(len(bal.events('config_rejected')), 1)
        self.in_place(bal.config_path, self.text(0) + 'nonsense: false\n')  # another one
        bal.log_wait('config_rejected', 2)
        self.turn(bal, self.in_place, 'a good one')
        self.assertEqual(len(bal.events('config_rejected')), 2)

    def test_nothing_new_is_nothing(self):
        bal = self.stage()
        os.utime(bal.config_path)
        self.in_place(bal.config_path, self.text(0))
        with open(f'{os.path.dirname(bal.config_path)}/another.yaml', 'w', encoding='ascii') as f:
            f.write('x')
        self.unmoved(bal, 1)
        loaded = len(bal.events('config_loaded'))
        # by hand and by itself: one change is one reload
        self.which = 1
        bal.write(self.text(1))
        bal.cli('graceful', check=0)
        self.unmoved(bal, 2)
        self.assertEqual(len(bal.events('config_loaded')), loaded + 1)

    def test_changed_while_it_starts(self):
        """Nothing is watched before READY, for the sake of a quick start, and nothing is missed."""
        path = os.path.join(self.dir, 'notify')
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(path)
        manager.settimeout(10 * rig.SLOW)
        self.port, self.head, self.which = rig.free_port(), '', 0
        self.webs = [self.backend('zero').address, self.backend('one').address]
        hangs = rig.simple(self.port, [self.webs[0], rig.blackhole(self)], runtime={'health_check_timeout_ms': 5000})
        bal = self.bal(hangs, watch=True, env={'NOTIFY_SOCKET': path})
        self.renamed(bal.config_path, self.text(1))
        self.assertEqual(bal.events('config_watch'), [])
        self.assertEqual(bal.get()['config_number'], 1)
        said = [manager.recv(4096)]  # the line of its status may come first
        if said[0] != b'READY=1':
            said.append(manager.recv(4096))
        self.assertEqual(said[-1], b'READY=1', 'the change came before it')
        rig.wait_until(lambda: bal.get()['config_number'] == 2, 'it to notice', NOTICE_S)
        self.assertEqual(rig.get(self.port), 'one')
        self.assertEqual([e['fields']['on'] for e in bal.events('config_watch')], [True])

    def test_told_not_to(self):
        for how in (['--no-watch'], []):
            bal = self.stage(*how, head='' if how else 'watch: false')
            self.renamed(bal.config_path, self.text(1))
            self.unmoved(bal, 1)
            self.assertEqual(rig.get(self.port), 'zero')
            bal.cli('graceful', check=0)
            self.assertEqual(rig.get(self.port), 'one')

    def test_switched_off_and_on_by_the_file(self):
        bal = self.stage()
        self.head = 'watch: false'
        self.turn(bal, self.renamed, 'the last change it notices')
        number = bal.get()['config_number']
        self.head = ''
        self.renamed(bal.config_path, self.text(1 - self.which))
        self.unmoved(bal, number)
        self.which = 1 - self.which
        bal.cli('graceful', check=0)
        self.assertEqual(rig.get(self.port), ['zero', 'one'][self.which])
        self.turn(bal, self.renamed, 'again')


if __name__ == '__main__':
    rig.main()
