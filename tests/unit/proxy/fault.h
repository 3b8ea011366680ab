/* SPDX-License-Identifier: MIT */
/*
 * Allocations that fail on demand, in any thread: malloc() and its kin, and epoll_ctl(2) that adds.
 * The program is linked with --wrap for each of them, see meson.build.
 */
#pragma once

#include <stdbool.h>

void fault_arm(int nth); /* the nth allocation from now on fails, counted from 0 */
bool fault_disarm(void); /* did one fail? */
