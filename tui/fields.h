/* SPDX-License-Identifier: MIT */
/*
 * tui/fields.h - members of a JSON object -> members of a struct, by a table and straight from the
 * text. bal-top reads the list of backends every second, and with a thousand of them a tree of it
 * costs more than all the rest of the program: in time, and in memory that is never given back.
 */
#pragma once

#include "core/base.h"
#include "varlink/scan.h"

enum field_kind {
        FIELD_INT,    /* int64_t */
        FIELD_NUMBER, /* double */
        FIELD_BOOL,   /* bool */
        FIELD_TIME,   /* uint64_t, seconds; RFC 3339 in the text */
        FIELD_TEXT,   /* char *, owned; the one before is freed */
        FIELD_WORD,   /* char[size], cut to it */
        FIELD_SPAN,   /* struct scan_text, as it stands */
        FIELD_OBJECT, /* a struct of fields of its own */
};

struct field {
        const char *key;
        enum field_kind kind;
        size_t at; /* offset in the struct */
        size_t size;
        const struct field *fields;
        size_t n_fields;
};

/* The object that is next. Members that are absent, null or of another type leave the struct's as
 * they are. -EBADMSG: no object, or not JSON; -ENOMEM. Fastest where the table has the order of the
 * text. */
int fields_read(struct scan *s, const struct field *fields, size_t n, void *to);

/* A new string; NULL: text is no string, or there is no memory. */
char *fields_text(struct scan_text text);
/* false: not an integer. */
bool fields_int(struct scan_text text, int64_t *ret);
