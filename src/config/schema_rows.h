/* SPDX-License-Identifier: MIT */
/* config/schema_rows.h - how the rows of the table are written, and its parts in other files. */
#pragma once

#include "config/schema.h"

#define HOUR   3600000ULL
#define DAY    (24 * HOUR)
#define MONTH  (30 * DAY)
#define MANY   1000000
#define CONNS  "sessions"
#define CHECKS "checks"

/* clang-format off */
#define ROW(raw, member, kind, text, ...)                                                          \
        { .name = #member, .offset = offsetof(struct raw, member), .type = FIELD_##kind,           \
          .help = (text), ##__VA_ARGS__ }
#define SECTION(var, what, raw, rows)                                                              \
        static const struct section var = {                                                        \
                .noun = (what), .size = sizeof(struct raw), .fields = (rows), .n_fields = ELEMENTS(rows) }
#define IS(x)          .dflt = (x)
#define TUNED(x)       .tuning = &tune_##x
#define BETWEEN(a, b)  .min = (a), .max = (b)
#define UNIT(x)        .unit = (x)
#define ONE_OF(x)      .choices = (x)
#define OF(x)          .section = &(x)
#define FLAGS(x)       .flags = (x)
/* clang-format on */

extern const struct section schema_http, schema_route;
