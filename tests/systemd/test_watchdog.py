#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whatever hangs, the process or one of its threads, is noticed and started anew; nothing else is."""

import contextlib
import ctypes
import os
import re
import threading
import time

import box

libc = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000


def ptrace(request, tid):
    if libc.ptrace(request, tid, None, None) < 0:
        raise OSError(ctypes.get_errno(), 'ptrace')


class Stuck:
    """Holds one thread of a process, as a debugger does."""

    def __init__(self, tid):
        self.tid = tid
        ptrace(PTRACE_SEIZE, tid)
        ptrace(PTRACE_INTERRUPT, tid)
        os.waitpid(tid, WALL)

    def bury(self):
        """The death of a thread that is traced is the tracer's to notice; until then the process stays."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.tid, WALL | os.WNOHANG)


class Watchdog(box.BoxTest):
    def begin(self, watchdog_s):
        self.configure(box.simple(9295, [self.backend('one')], 'workers: 3'))
        self.drop_in(f'[Service]\nWatchdogSec={watchdog_s}\nLimitCORE=0\n')
        self.systemctl('start', 'bal')
        self.assertEqual(box.answer(9295), 'one')
        return self.pid()

    def again(self, pid, began, limit_s, meanwhile=lambda: None):
        """Another one serves, soon enough."""
        def another():
            meanwhile()
            return self.pid() not in (0, pid) and self.show('ActiveState') == 'active'
        box.wait_until(another, 'another bal', limit_s + 3)
        took = time.monotonic() - began
        self.assertEqual(box.answer(9295), 'one')
        self.assertIn('watchdog', self.show('Result') + ' '.join(self.messages()))
        self.assertEqual(self.show('NRestarts'), '1')
        print(f'{took:.2f} s', end=' ')
        self.assertLess(took, limit_s)

    def test_the_process_is_stopped(self):
        for watchdog_s in (1, 3):
            with self.subTest(watchdog_s=watchdog_s):
                pid = self.begin(watchdog_s)
                time.sleep(0.2)
                began = time.monotonic()
                box.kill(pid, box.STOP)
                self.again(pid, began, watchdog_s + 1)
                self.clean_up()
                self.since = time.time()

    def test_one_worker_is_stuck(self):
        for name in ('bal-w0', 'bal-w2'):
            with self.subTest(name):
                pid = self.begin(1)
                time.sleep(0.2)
                began = time.monotonic()
                stuck = Stuck(box.threads(pid)[name])
                self.again(pid, began, 2, stuck.bury)
                self.clean_up()
                self.since = time.time()

    def test_the_control_thread_is_stuck(self):
        pid = self.begin(1)
        began = time.monotonic()
        stuck = Stuck(pid)
        self.again(pid, began, 2, stuck.bury)

    def test_a_short_stop_is_survived(self):
        pid = self.begin(1)
        for name in ('bal-w0', 'bal-w1'):
            box.kill(pid, box.STOP)
            time.sleep(0.4)
            box.kill(pid, box.CONT)
            time.sleep(1)
            self.assertEqual((self.pid(), self.show('NRestarts')), (pid, '0'), name)

    def test_idle_and_busy_are_not_stuck(self):
        pid = self.begin('300ms')
        time.sleep(2)  # not one connection
        self.assertEqual((self.pid(), self.show('NRestarts')), (pid, '0'))
        end = time.monotonic() + 3
        served = []

        def load():
            while time.monotonic() < end:
                served.append(box.answer(9295))
        loads = [threading.Thread(target=load) for _ in range(4)]
        for t in loads:
            t.start()
        for _ in range(5):
            time.sleep(0.3)
            self.systemctl('reload', 'bal')
        for t in loads:
            t.join()
        self.assertGreater(len(served), 100)
        self.assertEqual((self.pid(), self.show('NRestarts')), (pid, '0'))

    def test_a_drain_is_not_stuck(self):
        self.configure(box.simple(9295, [self.backend('one', hold=True)], 'drain_timeout: 2s'))
        self.drop_in('[Service]\nWatchdogSec=300ms\n')
        self.systemctl('start', 'bal')
        with box.connect(9295) as s:
            s.sendall(b'?')
            self.assertEqual(s.recv(10), b'one')
            self.bal('stop', env={'RUNTIME_DIRECTORY': '/run/bal'})
        box.wait_until(lambda: self.show('ActiveState') == 'inactive', 'the end')
        self.assertEqual((self.show('Result'), self.show('NRestarts')), ('success', '0'))

    def wakeups(self, pid):
        """Of the workers together, so far."""
        count = 0
        for name, tid in box.threads(pid).items():
            if re.match(r'bal-w\d', name):
                with open(f'/proc/{pid}/task/{tid}/status', encoding='ascii') as f:
                    count += int(re.search(r'^voluntary_ctxt_switches:\s+(\d+)', f.read(), re.M)[1])
        return count

    def test_no_watchdog_no_cost(self):
        counts = {}
        for watchdog_s in (0, 1):
            pid = self.begin(watchdog_s)
            time.sleep(0.5)
            before = self.wakeups(pid)
            time.sleep(2)
            counts[watchdog_s] = self.wakeups(pid) - before
            self.clean_up()
        print(f'wake-ups of 3 idle workers in 2 s, without and with: {counts[0]}, {counts[1]}', end=' ')
        self.assertEqual(counts[0], 0)
        self.assertTrue(12 <= counts[1] <= 60, counts)


box.main()
