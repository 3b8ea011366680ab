#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `meson install` puts where, and what systemd's own tools say of it."""

import os
import re
import subprocess

import box

PREFIX = os.path.dirname(os.path.dirname(box.BAL))
UNITS = ('bal.service', 'bal@one.service', 'bal.socket', 'bal-status.socket', 'bal-admin.socket')


def pc(variable):
    return subprocess.run(['pkg-config', f'--variable={variable}', 'systemd'], stdout=subprocess.PIPE, text=True,
                          check=True, timeout=10).stdout.strip()


class Units(box.BoxTest):
    def test_verify_is_silent(self):
        """It returns 0 also when it warns of a key that this systemd does not know."""
        for unit in UNITS:
            done = box.run('systemd-analyze', 'verify', unit)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, '', ''), unit)

    def test_verify_would_speak(self):
        self.unit('bal-test.service', '[Service]\nType=notify-relaod\nExecStart=/bin/true\n')
        self.assertNotEqual(box.run('systemd-analyze', 'verify', 'bal-test.service').stderr, '')

    def test_security(self):
        for unit in ('bal.service', 'bal@one.service'):
            done = box.run('systemd-analyze', 'security', '--offline=true', '--threshold=15', unit)
            level = re.search(r'Overall exposure level for \S+: ([\d.]+)', done.stdout)
            self.assertTrue(level, done.stdout + done.stderr)
            print(f'{unit}: {level[1]}', end=' ')
            self.assertLessEqual(float(level[1]), 1.5)
            self.assertEqual(done.returncode, 0)

    def test_where_things_are(self):
        units = pc('systemdsystemunitdir')
        for name in ('bal.service', 'bal@.service', 'bal.socket', 'bal-status.socket', 'bal-admin.socket'):
            self.assertTrue(os.path.isfile(f'{units}/{name}'), name)
        for path in (pc('sysusersdir') + '/bal.conf', pc('tmpfilesdir') + '/bal.conf', box.BAL,
                     pc('catalogdir') + '/bal.catalog',
                     *(f'{PREFIX}/share/varlink/io.bal.{name}.varlink' for name in ('Status', 'Admin')),
                     *(f'{PREFIX}/share/man/man{page[-1]}/{page}' for page in os.listdir(box.SOURCE + '/docs')
                       if re.search(r'\.[1-8]$', page))):
            self.assertTrue(os.path.isfile(path), path)
        self.assertFalse(os.path.exists('/etc/bal'))  # a configuration is the owner's, or a package's

    def test_newer_keys_are_for_newer_systemd(self):
        version = int(re.search(r'\d+', box.run('systemctl', '--version').stdout)[0])
        drop_ins = [f'{pc("systemdsystemunitdir")}/{unit}.d' for unit in ('bal.service', 'bal@.service')]
        self.assertEqual([os.path.isdir(path) for path in drop_ins], [version >= 254] * 2)

    def test_users(self):
        """systemd-sysusers has made them when the box was set up; again changes nothing."""
        before = box.run('getent', 'passwd', 'bal').stdout, box.run('id', 'bal').stdout
        self.assertRegex(before[0], r'^bal:[^:]*:\d+:\d+:.*(nologin|false)$')
        self.assertRegex(before[1], r'groups=\d+\(bal\),\d+\(bal-admin\)')
        self.assertEqual(box.run('systemd-sysusers', 'bal.conf').returncode, 0)
        self.assertEqual(before, (box.run('getent', 'passwd', 'bal').stdout, box.run('id', 'bal').stdout))

    def test_directory(self):
        done = box.run('systemd-tmpfiles', '--create', 'bal.conf')
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        st = os.stat('/run/bal')
        self.assertEqual((st.st_mode & 0o7777, st.st_uid), (0o755, int(box.run('id', '-u', 'bal').stdout)))

    def test_the_readme(self):
        """What README.md tells people to type, as it stands there."""
        with open(os.path.join(box.SOURCE, 'README.md'), encoding='utf-8') as f:
            commands = re.search(r'## Under systemd\n.*?```sh\n(.*?)```', f.read(), re.S)[1]
        self.addCleanup(box.run, 'systemctl', 'disable', 'bal')
        done = box.run('sh', '-ec', commands, cwd=box.SOURCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.backend('sample', 9000)
        self.assertEqual(box.answer(9295), 'sample')
        self.bal('status', '--exit-code')

    def test_enable(self):
        """What an administrator does first."""
        self.configure(box.simple(9295, [self.backend('one')]))
        self.systemctl('enable', '--now', 'bal.socket', 'bal.service')
        self.addCleanup(box.run, 'systemctl', 'disable', 'bal.socket', 'bal.service')
        self.assertEqual(box.answer(9295), 'one')
        self.assertIn('bal.service', os.listdir('/etc/systemd/system/multi-user.target.wants'))
        self.assertIn('bal.socket', os.listdir('/etc/systemd/system/sockets.target.wants'))


box.main()
