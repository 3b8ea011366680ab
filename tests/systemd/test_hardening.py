#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each line of the unit that takes something away does so: the probe can do a thing without the line,
cannot with it, and cannot under the whole unit. And what bal needs is left."""

import contextlib
import os
import re
import shutil
import subprocess
import sys

import box

PROBE = '/usr/local/bin/bal-probe'

# option of the unit, what it forbids, the errors that may say so, who tries without it
ROWS = [
    ('ProtectSystem=strict', 'usr', 'EROFS', 'root'),
    ('ProtectSystem=strict', 'etc', 'EROFS', 'root'),
    ('ProtectSystem=strict', 'var', 'EROFS', 'root'),
    ('ProtectSystem=strict', 'run', 'EROFS', 'root'),
    ('ProtectHome=yes', 'home', 'ENOENT EACCES', 'root'),
    ('PrivateTmp=yes', 'tmp', 'ENOENT', 'root'),
    ('PrivateDevices=yes', 'device', 'ENOENT', 'root'),
    ('DevicePolicy=closed', 'device_strange', 'EPERM', 'root'),
    ('ProtectProc=invisible', 'proc_others', 'ENOENT', 'nobody'),
    ('ProcSubset=pid', 'proc_rest', 'ENOENT', 'root'),
    ('ProtectKernelTunables=yes', 'tunables', 'EROFS', 'root'),
    ('ProtectKernelModules=yes', 'modules', 'ENOENT EACCES', 'root'),
    ('ProtectKernelLogs=yes', 'kernel_log', 'EPERM', 'root'),
    ('ProtectControlGroups=yes', 'cgroups', 'EROFS', 'root'),
    ('ProtectClock=yes', 'clock', 'EPERM', 'root'),
    ('ProtectHostname=yes', 'hostname', 'EPERM', 'root'),
    ('RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX', 'netlink', 'EAFNOSUPPORT', 'root'),
    ('RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX', 'packet', 'EAFNOSUPPORT', 'root'),
    ('CapabilityBoundingSet=CAP_NET_BIND_SERVICE', 'raw', 'EPERM', 'root'),
    ('RestrictNamespaces=yes', 'namespace', 'EPERM', 'root'),
    ('RestrictRealtime=yes', 'realtime', 'EPERM', 'root'),
    ('RestrictSUIDSGID=yes', 'setuid_file', 'EPERM', 'root'),
    ('MemoryDenyWriteExecute=yes', 'write_execute', 'EPERM', 'root'),
    ('LockPersonality=yes', 'personality', 'EPERM', 'root'),
    ('SystemCallArchitectures=native', 'foreign_call', 'killed', 'root'),
    ('SystemCallFilter=~@privileged @resources', 'chroot', 'EPERM', 'root'),
    ('SystemCallFilter=~@privileged @resources', 'priority', 'EPERM', 'root'),
    ('SystemCallFilter=@system-service', 'ptrace', 'EPERM', 'root'),
    ('SystemCallFilter=@system-service', 'mount', 'EPERM', 'root'),
    ('NoNewPrivileges=yes', 'new_privileges', 'EPERM', 'root'),
    ('UMask=0077', 'open_file_mode', 'EPERM', 'root'),
]
# shown by other tests than test_each_line
ELSEWHERE = {'PrivateMounts', 'ReadOnlyPaths', 'RemoveIPC', 'AmbientCapabilities', 'SystemCallErrorNumber'}


class Hardening(box.BoxTest):
    @classmethod
    def setUpClass(cls):
        shutil.copy(os.path.join(box.BUILD, 'tests', 'systemd', 'probe'), PROBE)
        os.chmod(PROBE, 0o755)
        for path in ('/root/probe-seen', '/tmp/probe-seen', '/usr/lib/modules/probe-seen'):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w', encoding='ascii'):
                pass
        box.run('mknod', '-m', '666', '/dev/probe-null', 'c', '1', '3')
        for number in ('229', '237', '200'):  # fuse, loop-control, tun
            box.run('mknod', '-m', '666', '/dev/probe-strange', 'c', '10', number)
            with contextlib.suppress(OSError):
                os.close(os.open('/dev/probe-strange', os.O_RDONLY | os.O_NONBLOCK))
                break
            os.unlink('/dev/probe-strange')

    def probe(self, tries, *properties):
        """try -> 'ok' or an error, as a service with these properties."""
        done = box.run('systemd-run', '--quiet', '--wait', '--pipe', *[f'--property={p}' for p in properties],
                       PROBE, *tries)
        self.assertEqual(done.returncode, 0, f'{properties}: {done.stdout}{done.stderr}')
        return dict(line.split() for line in done.stdout.splitlines())

    def whole_unit(self, *tries, user=None):
        """The same under bal.service itself."""
        self.drop_in('[Service]\nType=oneshot\nWatchdogSec=0\nFileDescriptorStoreMax=0\nRestart=no\nExecStart=\n'
                     f'ExecStart={PROBE} {" ".join(tries)}\n' + (f'User={user}\nGroup=\n' if user else ''))
        self.systemctl('start', 'bal')
        lines = [m for m in self.messages() if re.fullmatch(r'\w+ \w+', m)]
        return dict(line.split() for line in lines)

    def test_each_line(self):
        """One at a time, so that it is this line that does it."""
        not_shown = []
        for option, name, errors, user in ROWS:
            with self.subTest(f'{option}: {name}'):
                without = self.probe([name], f'User={user}')[name]
                if without != 'ok':
                    not_shown.append(f'{option} ({name}: {without} without it, too)')
                    continue
                extra = ['SystemCallErrorNumber=EPERM'] if option.startswith('SystemCall') else []
                self.assertIn(self.probe([name], f'User={user}', option, *extra)[name], errors.split())
        for line in not_shown:
            print(f'\nthis box cannot show {line}', end=' ', file=sys.stderr)
        self.assertLess(len(not_shown), 5, not_shown)

    def test_the_whole_unit(self):
        """None of it can be done, not even by root in bal's place."""
        self.configure(box.simple(9295, [9]))
        names = sorted({name for _, name, _, _ in ROWS})
        for user in (None, 'root'):
            with self.subTest(user=user):
                done = self.whole_unit(*names, user=user)
                self.assertEqual(sorted(done), names)
                allowed = [name for name in names if done[name] == 'ok']
                # root still is root: it sees all processes
                self.assertEqual(allowed, ['proc_others'] if user else [])
                self.clean_up()
                self.since = box.time.time()
                self.configure(box.simple(9295, [9]))

    def test_what_bal_needs_is_left(self):
        self.configure(box.simple(9295, [9]))
        needs = ['inet', 'unix', 'low_port', 'run_bal', 'own_chown']
        self.assertEqual(self.whole_unit(*needs), {name: 'ok' for name in needs})
        self.assertNotEqual(self.probe(['low_port'], 'User=bal')['low_port'], 'ok')
        ambient = self.probe(['low_port'], 'User=bal', 'AmbientCapabilities=CAP_NET_BIND_SERVICE')
        self.assertEqual(ambient['low_port'], 'ok')

    def test_its_own_file_is_not_its_to_write(self):
        self.configure(box.simple(9295, [9]))
        self.assertNotEqual(self.whole_unit('etc_bal')['etc_bal'], 'ok')

    def test_the_unit_has_every_line_that_is_tried(self):
        with open(os.path.join(box.BUILD, 'units', 'bal.service'), encoding='utf-8') as f:
            text = f.read()
        tried = {option for option, _, _, _ in ROWS}
        hardening = re.search(r'\nUMask=.*?(?=\n\[Install\])', text, re.S)[0].splitlines()
        lines = {line for line in hardening if line and not line.startswith('#')}
        self.assertEqual(tried - lines, set())
        self.assertEqual({line for line in lines - tried if line.split('=')[0] not in ELSEWHERE},
                         {'SystemCallFilter=@chown'})
        with open(os.path.join(box.BUILD, 'units', 'bal@.service'), encoding='utf-8') as f:
            self.assertIn('\n'.join(hardening), f.read())

    def test_a_running_bal(self):
        """As the kernel has it."""
        self.configure(box.simple(9295, [self.backend('one')]))
        self.systemctl('start', 'bal')
        with open(f'/proc/{self.pid()}/status', encoding='ascii') as f:
            status = dict(line.split(':', 1) for line in f.read().splitlines())
        self.assertEqual(status['NoNewPrivs'].strip(), '1')
        self.assertEqual(status['Seccomp'].strip(), '2')
        self.assertEqual(status['Umask'].strip(), '0077')
        bind = 1 << 10
        for caps in ('CapEff', 'CapPrm', 'CapBnd', 'CapAmb'):
            self.assertEqual(int(status[caps], 16), bind, caps)
        self.assertEqual(set(status['Uid'].split()), {box.run('id', '-u', 'bal').stdout.strip()})
        self.assertNotEqual(os.readlink(f'/proc/{self.pid()}/ns/mnt'), os.readlink('/proc/self/ns/mnt'))
        mounts = subprocess.run(['nsenter', '-t', str(self.pid()), '-m', 'findmnt', '-rno', 'TARGET,OPTIONS'],
                                  stdout=subprocess.PIPE, text=True, check=True, timeout=10).stdout.splitlines()
        topmost = dict(line.split() for line in mounts)  # of several on one directory the last one counts
        writable = [path for path, options in topmost.items() if options.split(',')[0] == 'rw']
        self.assertEqual([path for path in writable if not re.match(r'/(dev|proc|tmp|var/tmp|run/bal)\b', path)], [])

    def test_memory_that_is_shared_goes(self):
        """RemoveIPC: what a bal leaves goes with it."""
        self.configure(box.simple(9295, [9]))
        self.assertEqual(self.whole_unit('ipc'), {'ipc': 'ok'})
        box.wait_until(lambda: '62616c' not in box.run('ipcs', '-m').stdout, 'the memory to go', 3)


box.main()
