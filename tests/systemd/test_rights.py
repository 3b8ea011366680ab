#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who may do what: ports below 1024, the two sockets and their groups."""

import grp
import json
import os
import pwd
import stat
import time

import box


def rights(path):
    """'bal:bal-admin 660'"""
    st = os.lstat(path)
    return f'{pwd.getpwuid(st.st_uid).pw_name}:{grp.getgrgid(st.st_gid).gr_name} {stat.S_IMODE(st.st_mode):o}'


class Rights(box.BoxTest):
    @classmethod
    def setUpClass(cls):
        for user in ('kim', 'lee', 'max'):
            box.run('useradd', '--no-create-home', user)

    def setUp(self):
        super().setUp()
        self.configure(box.simple(80, [self.backend('one')]))

    def test_a_port_below_1024(self):
        self.systemctl('start', 'bal')
        self.assertEqual(box.answer(80), 'one')

    def test_what_lies_in_run(self):
        self.systemctl('start', 'bal')
        self.assertEqual(sorted(os.listdir('/run/bal')), ['admin.sock', 'bal.pid', 'status.sock'])
        self.assertEqual(rights('/run/bal'), 'bal:bal 755')
        self.assertEqual(rights('/run/bal/status.sock'), 'bal:bal 660')
        self.assertEqual(rights('/run/bal/admin.sock'), 'bal:bal-admin 660')
        self.assertEqual(rights('/run/bal/bal.pid'), 'bal:bal 600')
        self.systemctl('stop', 'bal')
        self.assertEqual(os.listdir('/run/bal'), [])

    def test_readers(self):
        """Members of group bal see everything and change nothing."""
        self.systemctl('start', 'bal')
        self.bal('status', '--exit-code', user='kim', groups=['bal'])
        said = self.bal('graceful', user='kim', groups=['bal'], status=77).stderr
        self.assertIn('permission denied on /run/bal/admin.sock', said)
        self.bal('stop', user='kim', groups=['bal'], status=77)
        self.assertEqual(self.show('ActiveState'), 'active')

    def test_administrators(self):
        self.systemctl('start', 'bal')
        self.bal('graceful', user='lee', groups=['bal-admin'])
        call = box.wait_until(lambda: self.events('admin_call'), 'the call in the log')[-1]
        self.assertEqual(call['fields']['uid'], pwd.getpwnam('lee').pw_uid)
        self.bal('status', '--exit-code', user='lee', groups=['bal', 'bal-admin'])
        self.bal('stop', user='lee', groups=['bal-admin'])
        box.wait_until(lambda: self.show('ActiveState') == 'inactive', 'the stop')
        time.sleep(0.7)
        self.assertEqual((self.show('ActiveState'), self.show('Result')), ('inactive', 'success'))

    def test_others(self):
        """And they are told why, and what to do."""
        self.systemctl('start', 'bal')
        done = self.bal('status', user='max', status=77)
        self.assertIn('permission denied on /run/bal/status.sock', done.stdout + done.stderr)
        self.assertIn('group', done.stdout + done.stderr)
        self.bal('status', '--exit-code', user='max', status=4)
        self.bal('graceful', user='max', status=77)

    def test_without_the_group(self):
        """A daemon that may not give a socket to its group keeps it for itself."""
        box.run('gpasswd', '--delete', 'bal', 'bal-admin')
        self.addCleanup(box.run, 'gpasswd', '--add', 'bal', 'bal-admin')
        self.systemctl('start', 'bal')
        self.assertEqual(rights('/run/bal/admin.sock'), 'bal:bal 600')
        self.assertEqual([(e['fields']['path'], e['fields']['group']) for e in self.events('socket_private')],
                         [('/run/bal/admin.sock', 'bal-admin')])
        self.assertEqual(rights('/run/bal/status.sock'), 'bal:bal 660')
        self.bal('graceful')  # root may
        self.bal('graceful', user='lee', groups=['bal-admin'], status=77)

    def test_sockets_of_systemd_have_the_same(self):
        self.systemctl('start', 'bal-status.socket', 'bal-admin.socket', 'bal.service')
        self.assertEqual(rights('/run/bal/status.sock'), 'bal:bal 660')
        self.assertEqual(rights('/run/bal/admin.sock'), 'bal:bal-admin 660')
        self.assertEqual(rights('/run/bal'), 'bal:bal 755')
        self.bal('status', '--exit-code', user='kim', groups=['bal'])
        self.bal('graceful', user='kim', groups=['bal'], status=77)
        self.bal('graceful', user='lee', groups=['bal-admin'])

    def by_hand(self, **env):
        """bal as root, without systemd; the directory of its sockets."""
        os.makedirs('/run/by-hand/.bal', exist_ok=True)
        self.addCleanup(box.run, 'rm', '-rf', '/run/by-hand')
        env = {'HOME': '/run/by-hand', **env}
        self.bal('start', '-d', '-c', box.CONFIG, env=env)
        self.addCleanup(self.bal, 'stop', env=env)
        return env.get('RUNTIME_DIRECTORY', '/run/by-hand/.bal')

    def test_by_hand(self):
        folder = self.by_hand()
        self.assertEqual({rights(f'{folder}/{name}.sock') for name in ('status', 'admin')}, {'root:root 600'})

    def test_by_hand_where_nobody_else_gets_in(self):
        folder = self.by_hand(RUNTIME_DIRECTORY='/run/by-hand/bal')  # bal makes it
        self.assertEqual(rights(folder), 'root:root 700')
        self.assertEqual({rights(f'{folder}/{name}.sock') for name in ('status', 'admin')}, {'root:root 600'})

    def test_by_hand_where_everybody_looks(self):
        os.makedirs('/run/by-hand/bal')
        folder = self.by_hand(RUNTIME_DIRECTORY='/run/by-hand/bal')
        self.assertEqual(rights(f'{folder}/status.sock'), 'root:bal 660')
        self.assertEqual(rights(f'{folder}/admin.sock'), 'root:bal-admin 660')

    def test_the_verdict_is_the_same_for_all_who_may_ask(self):
        self.systemctl('start', 'bal')
        asked = [json.loads(self.bal('status', '--json', **who).stdout)['pid']
                 for who in ({}, {'user': 'kim', 'groups': ['bal']})]
        self.assertEqual(asked, [self.pid()] * 2)


box.main()
