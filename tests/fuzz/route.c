/* SPDX-License-Identifier: MIT */
/* Any bytes as the texts that routes and rules are made of, and as the paths they are held to. */

#include "http/route.h"
#include "http.h"
#include "http/out.h"

static bool same(struct span a, struct span b) {
        return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Its segments, none of which may be a dot segment, and only the last one empty. */
static void check_segments(struct span path) {
        while (path.n > 0) {
                const char *slash = memchr(path.p + 1, '/', path.n - 1);
                struct span s = { path.p, slash ? (size_t)(slash - path.p) : path.n };

                MUST(s.p[0] == '/' && !span_is_exact(s, "/.") && !span_is_exact(s, "/.."));
                MUST(s.n > 1 || s.n == path.n);
                path = (struct span){ s.p + s.n, path.n - s.n };
        }
}

static void check_path(struct span path) {
        char *buf = malloc(path.n + 1), *twice = malloc(path.n + 1);
        struct http_route exact = { .path_kind = HTTP_PATH_EXACT };
        struct http_head h = { .n_headers = 0 };
        struct span once;

        MUST(buf && twice);
        once = http_path_normalise(buf, path);
        MUST(once.n > 0 && once.n <= (path.n > 0 ? path.n : 1));
        MUST(same(http_path_normalise(twice, once), once));
        MUST(!http_path_ambiguous(once));
        if (once.p[0] == '/')
                check_segments(once);
        else
                MUST(same(once, path));

        exact.path = once;
        MUST(http_route_matches(&exact, &h, once));
        exact.path_kind = HTTP_PATH_SEGMENTS;
        MUST(http_route_matches(&exact, &h, once));
        free(buf);
        free(twice);
}

/* A host that may be configured is one that a request may name, and then it matches. */
static void check_host(struct span host) {
        struct http_route r = { .hosts = &host, .n_hosts = 1 };
        struct http_head h = { .n_headers = 0 };
        char *name;

        if (!http_route_host_ok(host))
                return;
        name = malloc(host.n);
        MUST(name);
        memcpy(name, host.p, host.n);
        if (name[0] == '*')
                name[0] = 'a';
        h.authority.host = (struct span){ name, host.n };
        MUST(http_route_matches(&r, &h, (struct span){ "/", 1 }));
        free(name);
}

/* As much as was understood, written with variables that are empty: the text that is left. */
static void check_template(struct span text) {
        struct http_piece *pieces = calloc(http_template_room(text), sizeof(*pieces));
        struct http_values values = { 0 };
        struct http_out o = { .p = malloc(text.n + 1), .room = text.n };
        struct http_template t;
        struct span bad;

        MUST(pieces && o.p);
        if (http_template_read(&t, pieces, text, &bad) == 0) {
                MUST(t.n <= http_template_room(text));
                http_out_template(&o, &t, &values);
                MUST(!o.full);
                for (size_t i = 0; i < o.n; i++)
                        MUST(http_is_text_byte(o.p[i]));
        } else {
                fuzz_span(bad, text.p, text.n);
                MUST(bad.n > 0 && bad.p[0] == '$');
        }
        free(pieces);
        free(o.p);
}

static void check_rule(struct span key) {
        static const enum http_side sides[] = { HTTP_REQUEST, HTTP_RESPONSE };
        struct http_rule rule;

        for (size_t i = 0; i < ELEMENTS(sides); i++) {
                if (http_rule_read(&rule, sides[i], key) < 0)
                        continue;
                MUST(span_is_token(rule.name) && !(http_field_flags(rule.id) & FIELD_HOP));
                MUST(rule.name.n + (rule.op == HTTP_RULE_SET ? 0 : 1) == key.n);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct span text = { (const char *)data, size };

        check_path(text);
        check_host(text);
        check_template(text);
        check_rule(text);
        return 0;
}
