/* SPDX-License-Identifier: MIT */
/* tui/batch.h - bal-top without a screen: tables, JSON, one line a second, sentences. */
#pragma once

#include "options.h"

int batch_run(const struct options *o); /* an enum bal_exit */
