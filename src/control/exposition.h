/* SPDX-License-Identifier: MIT */
/*
 * control/exposition.h - numbers in the text that Prometheus reads: the classic format 0.0.4, and
 * OpenMetrics 1.0. Pure: whoever writes says a family's name, type and help, then its samples.
 *
 * The two differ in three places, and only there: OpenMetrics names a counter's family without the
 * _total of its samples, ends in "# EOF", and has a content type of its own.
 *
 * Errors are remembered: whoever writes looks once, at the end.
 */
#pragma once

#include "control/textout.h"

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS, EXPOSITION_FORMATS };
const char *exposition_content_type(enum exposition_format f);
/* What a client prefers; accept: the value of its header, NULL: it has none. Who knows neither gets
 * the classic one. */
enum exposition_format exposition_choose(const char *accept);

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {           /* a family; texts are ours and need no escaping */
        const char *name; /* of a counter: without _total */
        enum metric_type type;
        const char *help;
};

struct label { /* any value: what is no text for people becomes '?', as on the screen */
        const char *name, *value;
};

#define EXPOSITION_LABELS_MAX 8 /* of one sample */

struct exposition {
        struct textout out;
        enum exposition_format format;
        const struct metric *family; /* of the samples to come; borrowed */
};

void exposition_init(struct exposition *x, enum exposition_format f, size_t max);
void exposition_done(struct exposition *x);

void exposition_family(struct exposition *x, const struct metric *m); /* m stays until the next */
/* A sample of the family, with n labels. */
void exposition_number(struct exposition *x, const struct label *labels, size_t n, uint64_t value);
void exposition_seconds(struct exposition *x, const struct label *labels, size_t n, uint64_t us);
/* One histogram of times: so many in each of n_bounds buckets and in one more above them all, and
 * the sum of all; in microseconds. */
struct exposition_times {
        const uint64_t *bounds_us, *counts; /* counts: n_bounds + 1 */
        size_t n_bounds;
        uint64_t sum_us;
};
void exposition_histogram(struct exposition *x,
                          const struct label *labels,
                          size_t n,
                          const struct exposition_times *t);
void exposition_end(struct exposition *x);
