/* SPDX-License-Identifier: MIT */

#include "config/value_http.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/parse.h"

/* --- sizes ---------------------------------------------------------------------------------- */

static const struct {
        char letter;
        unsigned shift;
} units[] = { { 'g', 30 }, { 'm', 20 }, { 'k', 10 } };

/* The letter at the end stands for a power of 1024. */
unsigned value_parse_size(uint64_t *ret, const struct field *f, const char *text) {
        char digits[24];
        size_t n = strlen(text);
        unsigned shift = 0;
        uint64_t v;
        int r;

        for (size_t i = 0; i < ELEMENTS(units) && n > 0; i++) {
                if (tolower((unsigned char)text[n - 1]) == units[i].letter)
                        shift = units[i].shift;
        }
        n -= shift > 0;
        if (n >= sizeof(digits))
                return strspn(text, "0123456789") >= n ? VERDICT_ABOVE : VERDICT_NOT_SIZE;
        memcpy(digits, text, n);
        digits[n] = '\0';
        if (digits[0] == '0' && digits[1])
                return VERDICT_NOT_SIZE;

        r = parse_u64(&v, digits);
        if (r == -EINVAL)
                return VERDICT_NOT_SIZE;
        if (r < 0 || v > f->max >> shift)
                return VERDICT_ABOVE;
        *ret = v << shift;
        return *ret < f->min ? VERDICT_BELOW : VERDICT_OK;
}

const char *size_text(uint64_t bytes, char buf[static VALUE_TEXT_MAX]) {
        for (size_t i = 0; i < ELEMENTS(units) && bytes > 0; i++) {
                if (bytes % (UINT64_C(1) << units[i].shift) == 0) {
                        snprintf(buf, VALUE_TEXT_MAX, "%llu%c",
                                 (unsigned long long)(bytes >> units[i].shift), units[i].letter);
                        return buf;
                }
        }
        snprintf(buf, VALUE_TEXT_MAX, "%llu", (unsigned long long)bytes);
        return buf;
}

/* --- who is trusted ------------------------------------------------------------------------- */

unsigned value_parse_network(const char *text) {
        struct addr_net net;

        switch (addr_net_parse(&net, text)) {
        case 0:
                return VERDICT_OK;
        case -ERANGE:
                return VERDICT_NETWORK_PREFIX;
        case -EDOM:
                return VERDICT_NETWORK_BITS;
        default:
                return VERDICT_NOT_NETWORK;
        }
}

/* --- what a route compares ------------------------------------------------------------------ */

unsigned value_parse_route_host(const char *text) {
        struct span s = span_of(text);

        return s.n <= HOST_NAME_MAX_LEN + 2 && http_route_host_ok(s) ? VERDICT_OK
                                                                     : VERDICT_NOT_ROUTE_HOST;
}

unsigned value_parse_route_path(const struct field *f, const char *text) {
        const struct field path = { .type = FIELD_PATH, .max = f->max };
        struct value v;

        return strchr(text, '?') ? VERDICT_HAS_QUERY : value_parse(&v, &path, text);
}

/* A token. Case counts (RFC 9110 9.1), and nobody means another method by "get". */
unsigned value_parse_method(const char *text) {
        struct span s = span_of(text);

        if (s.n > HTTP_METHOD_MAX || !span_is_token(s))
                return VERDICT_NOT_METHOD;
        for (size_t i = 0; i < s.n; i++) {
                if (islower((unsigned char)text[i]))
                        return VERDICT_LOWER_METHOD;
        }
        return VERDICT_OK;
}

/* What may stand in Location (RFC 9110 10.2.2); variables are looked at when all is read. */
unsigned value_parse_target(const struct field *f, const char *text) {
        if (text[0] != '/' && text[0] != '$' && !strstr(text, "://"))
                return VERDICT_NOT_TARGET;
        for (const char *p = text; *p; p++) {
                if (*p <= ' ' || *p > '~')
                        return VERDICT_NOT_TARGET;
        }
        return strlen(text) > f->max ? VERDICT_TOO_LONG : VERDICT_OK;
}

/* --- the log -------------------------------------------------------------------------------- */

unsigned value_parse_access(enum config_access_log *ret,
                            uint32_t *ret_sample,
                            const struct field *f,
                            const char *text) {
        static const struct {
                const char *word;
                enum config_access_log log;
        } words[] = { { "all", CONFIG_ACCESS_ALL },
                      { "errors", CONFIG_ACCESS_ERRORS },
                      { "none", CONFIG_ACCESS_NONE } };
        static const char sample[] = "sample:";
        uint64_t n;
        int r;

        *ret_sample = 1;
        for (size_t i = 0; i < ELEMENTS(words); i++) {
                *ret = words[i].log;
                if (strcmp(words[i].word, text) == 0)
                        return VERDICT_OK;
        }

        if (strncmp(text, sample, strlen(sample)) != 0)
                return VERDICT_NOT_ACCESS;
        text += strlen(sample);
        text += strspn(text, " ");
        r = parse_u64(&n, text);
        if (r == -EINVAL || (text[0] == '0' && text[1]))
                return VERDICT_NOT_ACCESS;
        if (r < 0 || n > f->max)
                return VERDICT_ABOVE;
        if (n < f->min)
                return VERDICT_BELOW;
        *ret = CONFIG_ACCESS_ALL;
        *ret_sample = (uint32_t)n;
        return VERDICT_OK;
}
