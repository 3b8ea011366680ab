/* SPDX-License-Identifier: MIT */
/* control/rates.h - events per second, over the last ten: differences of totals sampled each
 * second. Those of a backend are in its endpoint, taken at the same moments. */
#pragma once

#include "control/history.h"
#include "upstream/endpoint.h"

struct supervisor;

struct sample { /* totals of one moment */
        uint64_t at_ms;
        uint64_t opened, rejected, failed[CONNECT_FAILURES_COUNT];
};

struct rates {
        struct sample samples[ENDPOINT_SAMPLES];
        size_t n;               /* taken so far; the newest is at (n - 1) % ENDPOINT_SAMPLES */
        struct history history; /* of all backends together */
};

void rates_sample(struct supervisor *s); /* once a second */

struct rates_of_all {
        double opened, rejected, failed[CONNECT_FAILURES_COUNT]; /* per second */
};
void rates_of_all(const struct supervisor *s, struct rates_of_all *ret);

struct rates_of_endpoint {
        double opened, failed;
};
void rates_of_endpoint(const struct supervisor *s,
                       const struct endpoint *e,
                       struct rates_of_endpoint *ret);
