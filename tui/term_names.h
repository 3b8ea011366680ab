/* SPDX-License-Identifier: MIT */
/* tui/term_names.h - the terminal types to try: many systems do not know modern ones. Pure. */
#pragma once

/* term first, then xterm-256color for those that are alike, then vt100; ended by NULL. Valid until
 * the next call. */
const char *const *term_names(const char *term);
