/* SPDX-License-Identifier: MIT */
/* cli/confirm.h - a question on the terminal, whose answer is no unless somebody says yes. */
#pragma once

#include "cli/verb.h"

/* Somebody is there who sees the question on standard error and answers on standard input. */
bool confirm_possible(const struct cli *c);
/* "question [y/N] "; y or yes in whatever case is yes; all else is no, the end of the file too. */
bool confirm(struct cli *c, const char *question);
