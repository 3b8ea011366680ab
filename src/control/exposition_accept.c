/* SPDX-License-Identifier: MIT */
/* Which of two formats a client wants: the Accept header, RFC 9110 section 12.5.1. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/exposition.h"

#define SPACES " \t"

struct range { /* "application/openmetrics-text; version=1.0.0; q=0.8" */
        const char *type;
        size_t n_type;
        int q; /* thousandths */
        bool other_version;
};

struct part { /* of a text; not ended by NUL */
        const char *at;
        size_t n;
};

/* The next part up to sep, without spaces around it. False: there is none. Separators in quotes
 * are not expected of anybody who asks for metrics; they make parts that nobody knows. */
static bool next_part(struct part *ret, const char **rest, const char *end, char sep) {
        const char *at = *rest, *stop;

        if (!at || at > end)
                return false;
        stop = memchr(at, sep, (size_t)(end - at));
        *rest = stop ? stop + 1 : NULL;
        stop = stop ? stop : end;
        while (at < stop && strchr(SPACES, *at))
                at++;
        while (stop > at && strchr(SPACES, stop[-1]))
                stop--;
        *ret = (struct part){ at, (size_t)(stop - at) };
        return true;
}

static bool part_is(const struct part *p, const char *word) {
        return p->n == strlen(word) && strncasecmp(p->at, word, p->n) == 0;
}

/* "1", "0.75": what is no such number counts as 0. */
static int weight_of(const struct part *p) {
        int q = 0, unit = 100;

        if (p->n == 0 || p->n > 5 || (p->at[0] != '0' && p->at[0] != '1'))
                return 0;
        q = (p->at[0] - '0') * 1000;
        if (p->n > 1 && p->at[1] != '.')
                return 0;
        for (size_t i = 2; i < p->n; i++, unit /= 10) {
                if (p->at[i] < '0' || p->at[i] > '9')
                        return 0;
                q += (p->at[i] - '0') * unit;
        }
        return q > 1000 ? 0 : q;
}

static void read_parameter(struct range *r, const struct part *parameter) {
        const char *rest = parameter->at, *end = parameter->at + parameter->n;
        struct part name, value;

        if (!next_part(&name, &rest, end, '=') || !rest)
                return;
        value = (struct part){ rest, (size_t)(end - rest) };
        if (part_is(&name, "q"))
                r->q = weight_of(&value);
        else if (part_is(&name, "version"))
                r->other_version = !part_is(&value, "1.0.0") && !part_is(&value, "\"1.0.0\"");
}

static void read_range(struct range *ret, const struct part *text) {
        const char *rest = text->at, *end = text->at + text->n;
        struct part part;

        *ret = (struct range){ .q = 1000 };
        if (next_part(&part, &rest, end, ';')) {
                ret->type = part.at;
                ret->n_type = part.n;
        }
        while (next_part(&part, &rest, end, ';'))
                read_parameter(ret, &part);
}

static bool is_type(const struct range *r, const char *type) {
        return part_is(&(struct part){ r->type, r->n_type }, type);
}

/* The other ranges: one that fits better comes before one that fits all. */
enum exposition_format exposition_choose(const char *accept) {
        int open = 0, text = -1, any = -1, q_any;
        const char *rest = accept, *end = accept ? accept + strlen(accept) : NULL;
        struct part part;

        while (next_part(&part, &rest, end, ',')) {
                struct range r;

                read_range(&r, &part);
                if (is_type(&r, "application/openmetrics-text") && !r.other_version)
                        open = r.q > open ? r.q : open;
                else if (is_type(&r, "text/plain"))
                        text = r.q > text ? r.q : text;
                else if (is_type(&r, "text/*") || is_type(&r, "*/*"))
                        any = r.q > any ? r.q : any;
        }
        q_any = any < 0 ? 0 : any;
        if (open > 0 && open >= (text < 0 ? q_any : text))
                return EXPOSITION_OPENMETRICS;
        return EXPOSITION_TEXT;
}
