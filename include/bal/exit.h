/* SPDX-License-Identifier: MIT */
/* bal/exit.h - what bal's exit status says: a contract with scripts and with systemd units. */
#pragma once

enum bal_exit {
        BAL_EXIT_OK = 0,           /* fine, warnings allowed */
        BAL_EXIT_FAILED = 1,       /* the operation failed or timed out; doctor: CRITICAL */
        BAL_EXIT_NOT_RUNNING = 3,  /* only status --exit-code, as LSB says */
        BAL_EXIT_UNKNOWN = 4,      /* likewise: no right, time-out, protocol */
        BAL_EXIT_USAGE = 64,       /* bad option or verb */
        BAL_EXIT_NO_INPUT = 66,    /* no configuration file */
        BAL_EXIT_UNAVAILABLE = 69, /* no daemon on the socket */
        BAL_EXIT_SOFTWARE = 70,    /* a bug in bal */
        BAL_EXIT_NO_RIGHT = 77,    /* no right: socket, port or file */
        BAL_EXIT_CONFIG = 78,      /* the configuration is wrong */
};
