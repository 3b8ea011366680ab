/* SPDX-License-Identifier: MIT */

#include "config/value.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "config/status.h"
#include "config/value_http.h"
#include "core/parse.h"

static unsigned in_range(const struct field *f, uint64_t v) {
        return v < f->min ? VERDICT_BELOW : v > f->max ? VERDICT_ABOVE : VERDICT_OK;
}

/* "010" is eight to some and ten to others. */
static bool has_leading_zero(const char *text) {
        return text[0] == '0' && isdigit((unsigned char)text[1]);
}

static unsigned parse_int(struct value *ret, const struct field *f, const char *text) {
        uint64_t v = 0;
        int r;

        if (text[0] == '-' && parse_u64(&v, text + 1) != -EINVAL && !has_leading_zero(text + 1))
                return v == 0 ? VERDICT_NOT_NUMBER : VERDICT_BELOW;
        if (has_leading_zero(text))
                return VERDICT_NOT_NUMBER;

        r = parse_u64(&v, text);
        if (r == -ERANGE)
                return VERDICT_ABOVE;
        if (r < 0)
                return VERDICT_NOT_NUMBER;

        ret->u = v;
        return in_range(f, v);
}

static unsigned parse_bool(struct value *ret, const char *text) {
        ret->u = strcmp(text, "true") == 0;
        return ret->u || strcmp(text, "false") == 0 ? VERDICT_OK : VERDICT_NOT_BOOL;
}

static unsigned parse_choice(struct value *ret, const struct field *f, const char *text) {
        for (ret->u = 0; f->choices[ret->u]; ret->u++) {
                if (strcmp(f->choices[ret->u], text) == 0)
                        return VERDICT_OK;
        }
        return VERDICT_NOT_CHOICE;
}

static unsigned parse_duration(struct value *ret, const struct field *f, const char *text) {
        uint64_t v;
        int r;

        r = parse_duration_ms(&v, text);
        if (r == -ERANGE)
                return VERDICT_ABOVE;
        if (r < 0)
                return parse_u64(&v, text) == -EINVAL ? VERDICT_NOT_DURATION : VERDICT_NO_UNIT;

        ret->u = v;
        return in_range(f, v);
}

static unsigned parse_name(const struct field *f, const char *text) {
        size_t n = strlen(text);

        if (n == 0 || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789._-") != n)
                return VERDICT_NOT_NAME;
        return n > f->max ? VERDICT_TOO_LONG : VERDICT_OK;
}

bool has_control(const char *text) {
        for (const char *p = text; *p; p++) {
                if ((unsigned char)*p < 0x20 || *p == 0x7f)
                        return true;
        }
        return false;
}

static unsigned parse_text(const struct field *f, const char *text) {
        size_t n = strlen(text);

        if (n < f->min || has_control(text))
                return VERDICT_NOT_TEXT;
        return n > f->max ? VERDICT_TOO_LONG : VERDICT_OK;
}

/* What may stand in the first line of a request, and no fragment: it never reaches a server. */
static unsigned parse_path(const struct field *f, const char *text) {
        if (text[0] != '/')
                return VERDICT_NOT_PATH;
        for (const char *p = text; *p; p++) {
                if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f || *p == '#')
                        return VERDICT_NOT_PATH;
        }
        return strlen(text) > f->max ? VERDICT_TOO_LONG : VERDICT_OK;
}

/* "web.example", "web.example:8080", "[::1]": what a server compares with its names. */
static unsigned parse_authority(const struct field *f, const char *text) {
        size_t n = strlen(text);

        if (n < f->min)
                return VERDICT_NOT_AUTHORITY;
        for (const char *p = text; *p; p++) {
                if (!isalnum((unsigned char)*p) && !strchr(".-_~:[]", *p))
                        return VERDICT_NOT_AUTHORITY;
        }
        return n > f->max ? VERDICT_TOO_LONG : VERDICT_OK;
}

static unsigned parse_status(const char *text) {
        struct statuses s = { .n = 0 };
        enum status_verdict v = status_parse(&s, text, NULL);

        return v == STATUS_OK      ? VERDICT_OK
               : v == STATUS_ORDER ? VERDICT_STATUS_ORDER
                                   : VERDICT_NOT_STATUS;
}

static unsigned parse_backend(const struct field *f, const char *text) {
        struct host h;
        enum host_verdict v;

        v = f->type == FIELD_HOST ? host_parse(&h, text, 1) : host_parse_port(&h, text);
        if (v == HOST_OK && host_is_wildcard(&h.addr))
                v = HOST_WILDCARD;
        return v == HOST_OK ? VERDICT_OK : VERDICT_HOST + v;
}

static unsigned parse_listener(const struct field *f, const char *text) {
        struct host h;
        enum host_verdict v;

        v = f->type == FIELD_BIND ? host_parse(&h, text, 1) : host_parse_port(&h, text);
        if (v == HOST_OK && h.addr.len == 0)
                v = HOST_IS_NAME;
        else if (v == HOST_OK && f->type != FIELD_LISTEN && host_is_unix(&h))
                v = HOST_IS_UNIX;
        return v == HOST_OK ? VERDICT_OK : VERDICT_HOST + v;
}

/* The types that only protocol http has; beside a size they are held as their text. */
static unsigned parse_http(struct value *ret, const struct field *f, const char *text) {
        enum config_access_log log;
        uint32_t sample;

        if (f->type == FIELD_SIZE)
                return value_parse_size(&ret->u, f, text);

        ret->s = text;
        switch (f->type) {
        case FIELD_ACCESS:
                return value_parse_access(&log, &sample, f, text);
        case FIELD_TARGET:
                return value_parse_target(f, text);
        case FIELD_ROUTE_PATH:
                return value_parse_route_path(f, text);
        case FIELD_NETWORKS:
                return value_parse_network(text);
        case FIELD_HOSTS:
                return value_parse_route_host(text);
        default:
                return value_parse_method(text);
        }
}

unsigned value_parse(struct value *ret, const struct field *f, const char *text) {
        switch (f->type) {
        case FIELD_BOOL:
                return parse_bool(ret, text);
        case FIELD_INT:
                return parse_int(ret, f, text);
        case FIELD_WORKERS:
                ret->u = 0;
                return strcmp(text, "auto") == 0 ? VERDICT_OK : parse_int(ret, f, text);
        case FIELD_DURATION:
                return parse_duration(ret, f, text);
        case FIELD_CHOICE:
                return parse_choice(ret, f, text);
        case FIELD_STATUS:
                ret->s = text;
                return parse_status(text);
        case FIELD_STRING:
                ret->s = text;
                return parse_text(f, text);
        case FIELD_NAME:
                ret->s = text;
                return parse_name(f, text);
        case FIELD_PATH:
                ret->s = text;
                return parse_path(f, text);
        case FIELD_AUTHORITY:
                ret->s = text;
                return parse_authority(f, text);
        case FIELD_HOST:
        case FIELD_ADDRESS:
                ret->s = text;
                return parse_backend(f, text);
        case FIELD_BIND:
        case FIELD_LISTEN:
        case FIELD_SOCKET:
                ret->s = text;
                return parse_listener(f, text);
        default:
                return parse_http(ret, f, text);
        }
}

bool is_header_name(const char *s) {
        static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

        return *s && strlen(s) <= 128 && strspn(s, token) == strlen(s);
}

const char *duration_text(uint64_t ms, char buf[static VALUE_TEXT_MAX]) {
        static const struct {
                const char *name;
                uint64_t ms;
        } units[] = { { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };
        size_t n = 0;

        if (ms == 0)
                return strcpy(buf, "0s");
        for (size_t i = 0; i < ELEMENTS(units); i++) {
                uint64_t k = ms / units[i].ms;

                ms %= units[i].ms;
                if (k > 0)
                        n += (size_t)snprintf(buf + n, VALUE_TEXT_MAX - n, "%llu%s",
                                              (unsigned long long)k, units[i].name);
        }
        return buf;
}

const char *value_text(const struct field *f,
                       const struct value *v,
                       char buf[static VALUE_TEXT_MAX]) {
        switch (f->type) {
        case FIELD_BOOL:
                return v->u ? "true" : "false";
        case FIELD_CHOICE:
                return f->choices[v->u];
        case FIELD_DURATION:
                return duration_text(v->u, buf);
        case FIELD_SIZE:
                return size_text(v->u, buf);
        case FIELD_WORKERS:
        case FIELD_INT:
                if (f->type == FIELD_WORKERS && v->u == 0)
                        return "auto";
                snprintf(buf, VALUE_TEXT_MAX, "%llu", (unsigned long long)v->u);
                return buf;
        default:
                return v->s ? v->s : "";
        }
}
