/* SPDX-License-Identifier: MIT */
/*
 * core/log_out.h - text into a buffer of a fixed size, for the formats of the log only. Whatever is
 * in a field, it stays one line and valid UTF-8.
 */
#pragma once

#include "core/log.h"

struct log_out {
        char *buf;
        size_t size, n;
        bool full; /* something did not fit; nothing is written after it */
};

void log_out_bytes(struct log_out *o, const char *bytes, size_t n);
void log_out_str(struct log_out *o, const char *s);
void log_out_fmt(struct log_out *o, const char *fmt, ...) PRINTF(2, 3); /* short ones */

/* Bytes that are not UTF-8 become '?'. Hidden characters are those of core/str.h. */
typedef void (*log_out_fn)(struct log_out *o, const char *s);
void log_out_json_string(struct log_out *o, const char *s); /* in quotes, hidden ones escaped */
void log_out_clean(struct log_out *o, const char *s);       /* hidden ones (core/str.h) as '?' */

/* Texts and names of errors by string, numbers and booleans as they are, no text as null. */
void log_out_value(struct log_out *o, const struct log_field *f, log_out_fn string);

/* Message and fields as people read them: "it is so  pool=web  backend=10.0.0.1:80". */
void log_out_text(struct log_out *o, const struct log_record *record);
