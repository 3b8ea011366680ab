/* SPDX-License-Identifier: MIT */
/*
 * control/textout.h - a text that grows while it is written: what jsontext and exposition have in
 * common. Errors are remembered: whoever writes looks once, at the end.
 */
#pragma once

#include "core/base.h"

struct textout {
        char *bytes; /* owned; without NUL; NULL: nothing was written */
        size_t n, size, max;
        int error; /* 0, -ENOMEM, -EMSGSIZE: longer than max */
};

void textout_init(struct textout *o, size_t max);
void textout_done(struct textout *o);

void textout_bytes(struct textout *o, const char *bytes, size_t n);
void textout_text(struct textout *o, const char *text);
void textout_number(struct textout *o, uint64_t value);
/* "value" with a backslash before what needs one, in JSON as in a label of Prometheus. Any value:
 * what is no text for people becomes '?' (core/str.h), as on the screen and in the log. */
void textout_quoted(struct textout *o, const char *value);

/* The digits of value, so that they end at end; returns where they begin. For fractions. */
#define TEXTOUT_DIGITS_MAX 20
char *textout_digits(char *end, uint64_t value);
