/* SPDX-License-Identifier: MIT */
/*
 * control/metrics.h - whether and where the metrics are served, as the file says; what they tell is
 * metrics_scene.h. That their address is taken is no reason for bal not to run: it is told once,
 * and tried again.
 */
#pragma once

#include <jansson.h>

#include "config/config.h"

struct metrics;
struct server_call;
struct supervisor;

#define METRICS_RETRY_S  10
#define METRICS_TEXT_MAX ((size_t)64 * 1024 * 1024) /* of a page; 4096 backends make 7 MiB */

int metrics_new(struct metrics **ret, struct supervisor *s); /* s is borrowed */
struct metrics *metrics_free(struct metrics *m);
DEFINE_CLEANUP(struct metrics *, metrics_free)

/* The file has been read: what it says now is done. */
void metrics_adopt(struct metrics *m, const struct config *c);
void metrics_tick(struct metrics *m); /* once a second */
/* What is in the way of serving them, or would be of what c asks for, for people; NULL: nothing. A
 * new string. */
char *metrics_problem(const struct metrics *m);
char *metrics_try(const struct metrics *m, const struct config *c);

/* io.bal.Status.GetMetrics: ends the call with the families from a number on, as many as fit. */
void metrics_answer(const struct supervisor *s, struct server_call *call, json_t *parameters);
