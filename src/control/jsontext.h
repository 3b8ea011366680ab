/* SPDX-License-Identifier: MIT */
/*
 * control/jsontext.h - JSON written straight into its text, for documents that are large and asked
 * for often: the status of 4096 backends has 170,000 values, and as jansson's nodes they cost the
 * control thread ten times as long.
 *
 * Errors are remembered: whoever writes looks once, at the end. key NULL: an element of an array.
 */
#pragma once

#include <jansson.h>

#include "control/textout.h"

struct jsontext {
        struct textout out;
        bool first; /* in its object or array */
};

void jsontext_init(struct jsontext *t, size_t max);
void jsontext_done(struct jsontext *t);

void jsontext_open(struct jsontext *t, const char *key, char bracket); /* '{' or '[' */
void jsontext_close(struct jsontext *t, char bracket);

void jsontext_string(struct jsontext *t, const char *key, const char *value); /* NULL: null */
void jsontext_number(struct jsontext *t, const char *key, uint64_t value);
void jsontext_real(struct jsontext *t, const char *key, double value); /* >= 0; three decimals */
void jsontext_bool(struct jsontext *t, const char *key, bool value);
void jsontext_null(struct jsontext *t, const char *key);
void jsontext_part(struct jsontext *t, const char *key, const struct jsontext *part); /* a value */
void jsontext_time(struct jsontext *t, const char *key, uint64_t real_us);            /* 0: null */
void jsontext_time_mono(struct jsontext *t, const char *key, uint64_t mono_ms);       /* likewise */
