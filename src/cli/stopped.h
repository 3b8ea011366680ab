/* SPDX-License-Identifier: MIT */
/* cli/stopped.h - what status says without a daemon: the file, and the backends from here. */
#pragma once

#include "cli/verb.h"

/* The document bal.status of a stopped daemon: today's keys, and what_happened, why_likely and
 * do_this_now. why and error tell why nobody answered on socket. Probes for up to REACH_MS. */
int stopped_document(json_t **ret,
                     const struct cli *c,
                     const char *socket,
                     const char *why,
                     int error);
