/* SPDX-License-Identifier: MIT */

#include "config/settings_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/build.h"
#include "config/value.h"
#include "core/str.h"

struct setting {
        const char *full, *simple; /* path of the key in each dialect; NULL: it has none */
        const char *otherwise;     /* the value in force in that dialect */
        bool (*same)(const struct settings_ends *e); /* in force, whatever the file says */
};

/* --- what is no difference ------------------------------------------------------------------ */

static const struct config_pool *pool_before(const struct settings_ends *e) {
        return &e->before->pools[e->index_before];
}

static const struct config_pool *pool_after(const struct settings_ends *e) {
        return &e->after->pools[e->index_after];
}

static bool no_checks(const struct settings_ends *e) {
        return pool_after(e)->check.type == CONFIG_CHECK_NONE;
}

static bool no_http_checks(const struct settings_ends *e) {
        return pool_after(e)->check.type != CONFIG_CHECK_HTTP;
}

/* unhealthy_interval follows the interval where it is not given. */
static bool follows_interval(const struct settings_ends *e) {
        const struct config_check *b = &pool_before(e)->check, *a = &pool_after(e)->check;

        return no_checks(e) || (b->unhealthy_interval_ms == b->interval_ms &&
                                a->unhealthy_interval_ms == a->interval_ms);
}

static bool connects_as_pool(const struct config *c, size_t frontend) {
        const struct config_frontend *f = &c->frontends[frontend];

        return f->connect_timeout_ms == c->pools[f->pool].connect_timeout_ms;
}

static bool follows_pool(const struct settings_ends *e) {
        return connects_as_pool(e->before, e->index_before) &&
               connects_as_pool(e->after, e->index_after);
}

static bool same_balance(const struct settings_ends *e) { /* weighted is round_robin */
        return e->before->frontends[e->index_before].balance ==
               e->after->frontends[e->index_after].balance;
}

static const struct config_http *http_before(const struct settings_ends *e) {
        return e->before->frontends[e->index_before].http;
}

static const struct config_http *http_after(const struct settings_ends *e) {
        return e->after->frontends[e->index_after].http;
}

/* Where the protocol changes that says it all. */
static bool no_http(const struct settings_ends *e) {
        return !http_before(e) || !http_after(e);
}

static bool same_workers(const struct settings_ends *e) {
        return e->before->workers == e->after->workers;
}

static bool same_metrics(const struct settings_ends *e) {
        return e->before->metrics == e->after->metrics;
}

static bool no_metrics(const struct settings_ends *e) {
        return !e->after->metrics;
}

/* --- the keys ------------------------------------------------------------------------------- */

/* clang-format off */
#define KEY(in_full, in_simple, ...) { .full = (in_full), .simple = (in_simple), ##__VA_ARGS__ }

static const struct setting daemon_settings[] = {
        KEY("global.log_level", "log_level"),
        KEY("global.log_format", "log_format"),
        KEY("global.log_schema", "log_schema"),
        KEY("global.log_clients", "log_clients"),
        KEY("global.workers", "workers", .same = same_workers),
        KEY("global.max_connections", "runtime.max_concurrent_connections"),
        KEY("global.drain_timeout", "drain_timeout"),
        KEY("global.restart_drain", "restart_drain"),
        KEY("global.resolve_interval", "resolve_interval"),
        KEY("global.watch", "watch"),
        KEY("global.metrics.enabled", "metrics.enabled", .same = same_metrics),
        KEY("global.metrics.address", "metrics.address", .same = no_metrics),
        KEY("global.metrics.path", "metrics.path", .same = no_metrics),
};

#define HTTP(key) KEY("frontends.http." key, "http." key, .same = no_http)
static const struct setting frontend_settings[] = {
        KEY("frontends.backend", NULL, .otherwise = "main"),
        KEY("frontends.protocol", "protocol"),
        KEY("frontends.algorithm", "method", .same = same_balance),
        KEY("frontends.max_connections", NULL, .otherwise = "0"),
        KEY("frontends.overload_policy", "runtime.overload_policy"),
        KEY("frontends.queue_timeout", "runtime.queue_timeout_ms"),
        KEY("frontends.backlog", "runtime.tcp_backlog"),
        KEY("frontends.tcp.connect_timeout", "runtime.backend_connect_timeout_ms",
          .same = follows_pool),
        KEY("frontends.tcp.idle_timeout", "runtime.connection_idle_timeout_ms"),
        HTTP("access_log"),
        HTTP("max_body_bytes"),
        HTTP("head_timeout"),
        HTTP("keep_alive_timeout"),
        HTTP("response_timeout"),
        HTTP("backend_keep_alive"),
        HTTP("max_request_line"),
        HTTP("max_header"),
        HTTP("max_headers_size"),
        HTTP("max_header_count"),
        HTTP("allow_connect"),
        HTTP("drop_underscore_headers"),
        HTTP("via"),
        HTTP("half_close"),
        HTTP("forwarded"),
};

#define CHECK(key, is_same)                                                                        \
        KEY("backends.health_check." key, "health_check." key, .same = (is_same))
static const struct setting pool_settings[] = {
        CHECK("type", NULL),
        CHECK("path", no_http_checks),
        CHECK("host", no_http_checks),
        CHECK("port", no_checks),
        CHECK("expected_status", no_http_checks),
        CHECK("interval", no_checks),
        CHECK("timeout", no_checks),
        CHECK("unhealthy_threshold", no_checks),
        CHECK("healthy_threshold", no_checks),
        CHECK("unhealthy_interval", follows_interval),
        CHECK("passive", NULL),
        KEY("backends.connect_timeout", "runtime.backend_connect_timeout_ms"),
        KEY("backends.connect_deadline", "runtime.connect_deadline_ms"),
        KEY("backends.hold", "runtime.hold_ms"),
        KEY("backends.slow_start", "runtime.slow_start_ms"),
        KEY("backends.on_marked_down", "runtime.on_marked_down"),
        KEY("backends.failover.backoff_initial", "runtime.failover_backoff_initial_ms"),
        KEY("backends.failover.backoff_max", "runtime.failover_backoff_max_ms"),
        KEY("backends.failover.cooldown", "runtime.backend_cooldown_ms"),
        KEY("backends.protection.trigger_threshold", "runtime.protection_trigger_threshold"),
        KEY("backends.protection.window", "runtime.protection_window_ms"),
        KEY("backends.protection.stable_success_threshold",
          "runtime.protection_stable_success_threshold"),
};
/* clang-format on */

/* --- values --------------------------------------------------------------------------------- */

struct found { /* a key in one of the two configurations */
        const struct config *config;
        const char *path; /* NULL: its dialect has no such key */
        const struct field *field;
        const struct value *value;
};

/* Down the sections; where a list is on the way, its entry of that index. */
static struct found find(const struct config *c, const struct setting *s, size_t index) {
        const struct loaded *l = container_of((struct config *)c, struct loaded, config);
        const struct section *section = schema_root(c->dialect);
        struct found f = { .config = c, .path = c->dialect == CONFIG_FULL ? s->full : s->simple };
        void *raw = l->raw;
        char name[64];

        for (const char *p = f.path; p; p += *p == '.') {
                size_t n = strcspn(p, ".");

                snprintf(name, sizeof(name), "%.*s", (int)n, p);
                f.field = section_find(section, name);
                f.value = field_value(f.field, raw);
                p += n;
                if (!*p)
                        break;
                section = f.field->section;
                raw = f.field->type == FIELD_LIST
                              ? (char *)f.value->list.items + index * section->size
                              : f.value->section;
        }
        return f;
}

/* In the words of the newer dialect, where a duration may be a number of milliseconds. */
static const char *found_text(const struct found *f,
                              const struct setting *s,
                              const struct field *as,
                              char buf[static VALUE_TEXT_MAX]) {
        if (!f->path)
                return s->otherwise;
        if (s->same == same_metrics) /* off in the simple dialect where the section is not there */
                return f->config->metrics ? "true" : "false";
        if (f->value->source == VALUE_UNSET)
                return "the backend's own";
        if (f->field->type == FIELD_CHOICE)
                return f->field->choices[f->value->u];
        if (f->field->type == FIELD_WORKERS && f->value->u == 0) {
                snprintf(buf, VALUE_TEXT_MAX, "auto (%u)", f->config->workers);
                return buf;
        }
        return value_text(as, f->value, buf);
}

enum why { WHY_FILE, WHY_RUNTIME, WHY_TUNED, WHYS };

/* Why a value has changed though nobody has touched its key. */
static enum why why_changed(const struct found *f) {
        if (!f->path || !f->field->tuning)
                return WHY_FILE;
        return f->value->source == VALUE_TUNED     ? WHY_TUNED
               : f->value->source == VALUE_DEFAULT ? WHY_RUNTIME
                                                   : WHY_FILE;
}

struct change {
        const char *name; /* of the key, below its thing */
        char *text;       /* owned: "500ms -> 1s"; NULL: out of memory */
        enum why why;
        unsigned n_backends; /* WHY_TUNED */
};

/* False: no difference. */
static bool compare(struct change *ret, const struct settings_ends *e, const struct setting *s) {
        struct found b = find(e->before, s, e->index_before), a = find(e->after, s, e->index_after);
        const struct field *as = a.path ? a.field : b.field;
        char buf_b[VALUE_TEXT_MAX], buf_a[VALUE_TEXT_MAX];
        const char *was, *is;

        if ((!a.path && !b.path) || (s->same && s->same(e)))
                return false;
        was = found_text(&b, s, as, buf_b);
        is = found_text(&a, s, as, buf_a);
        if (strcmp(was, is) == 0)
                return false;

        *ret = (struct change){ .text = str_printf("%s -> %s", was, is), .why = why_changed(&a) };
        ret->n_backends = ret->why == WHY_TUNED ? a.value->line : 0;
        ret->name = a.path ? a.path : b.path;
        if (!a.path || e->after->dialect == CONFIG_FULL)
                ret->name = strchr(ret->name, '.') + 1; /* without its list */
        return true;
}

/* --- sentences ------------------------------------------------------------------------------ */

/* Appends, with a separator unless it is the first. Takes more. */
static int join(char **text, const char *separator, char *more) {
        char *longer =
                *text && more ? str_printf("%s%s%s", *text, **text ? separator : "", more) : NULL;

        free(more);
        free(*text);
        *text = longer;
        return longer ? 0 : -ENOMEM;
}

static char *reason(const struct change *c) { /* with the colon, or without for a single key */
        return c->why == WHY_TUNED ? str_printf("tuned for %u backend%s", c->n_backends,
                                                c->n_backends == 1 ? "" : "s")
                                   : strdup("since the section runtime is there");
}

/* All differences of one origin: "; tuned for 3 backends: interval 500ms -> 1s, ..." */
static int join_changes(char **text,
                        const struct settings_ends *e,
                        const struct setting *settings,
                        size_t n,
                        enum why why) {
        bool first = true;
        int r = 0;

        for (size_t i = 0; i < n && r == 0; i++) {
                struct change c;

                if (!compare(&c, e, &settings[i]))
                        continue;
                if (c.why == why) {
                        _cleanup_(str_freep) char *because =
                                first && why != WHY_FILE ? reason(&c) : NULL;

                        r = join(text, first ? "; " : ", ",
                                 str_printf("%s%s%s %s", because ? because : "",
                                            because ? ": " : "", c.name, c.text ? c.text : "?"));
                        first = false;
                }
                if (!c.text)
                        r = -ENOMEM;
                free(c.text);
        }
        return r;
}

static int sentence(char **ret,
                    const struct settings_ends *e,
                    const struct setting *settings,
                    size_t n) {
        _cleanup_(str_freep) char *text = strdup("");
        int r = text ? 0 : -ENOMEM;

        for (enum why why = 0; why < WHYS && r == 0; why++)
                r = join_changes(&text, e, settings, n, why);
        if (r < 0)
                return r;
        *ret = take_ptr(text);
        return 0;
}

int settings_of_pool(char **ret, const struct settings_ends *e) {
        return sentence(ret, e, pool_settings, ELEMENTS(pool_settings));
}

int settings_of_frontend(char **ret, const struct settings_ends *e) {
        _cleanup_(str_freep) char *text = NULL, *lists = NULL;
        int r;

        r = sentence(&text, e, frontend_settings, ELEMENTS(frontend_settings));
        if (r < 0)
                return r;
        r = settings_of_http(&lists, e);
        if (r == 0 && *lists)
                r = join(&text, "; ", take_ptr(lists));
        if (r < 0)
                return r;
        *ret = take_ptr(text);
        return 0;
}

static int tell(const struct change *c, settings_fn fn, void *userdata) {
        _cleanup_(str_freep) char *because = NULL, *text = NULL;

        if (c->why == WHY_FILE) {
                fn(c->name, c->text, userdata);
                return 0;
        }
        because = reason(c);
        text = because ? str_printf("%s (%s)", c->text, because) : NULL;
        if (!text)
                return -ENOMEM;
        fn(c->name, text, userdata);
        return 0;
}

int settings_of_daemon(const struct settings_ends *e, settings_fn fn, void *userdata) {
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(daemon_settings) && r == 0; i++) {
                struct change c;

                if (!compare(&c, e, &daemon_settings[i]))
                        continue;
                r = c.text ? tell(&c, fn, userdata) : -ENOMEM;
                free(c.text);
        }
        return r;
}

/* The keys of a backend are the same in both dialects. */
int settings_of_backend(char **ret,
                        const struct config_endpoint *before,
                        const struct config_endpoint *after) {
        _cleanup_(str_freep) char *text = strdup("");
        int r = text ? 0 : -ENOMEM;

        if (r == 0 && before->weight != after->weight)
                r = join(&text, ", ", str_printf("weight %u -> %u", before->weight, after->weight));
        if (r == 0 && before->backup != after->backup)
                r = join(&text, ", ",
                         str_printf("backup %s -> %s", before->backup ? "true" : "false",
                                    after->backup ? "true" : "false"));
        if (r == 0 && before->max_connections != after->max_connections)
                r = join(&text, ", ",
                         str_printf("max_connections %u -> %u", before->max_connections,
                                    after->max_connections));
        if (r < 0)
                return r;
        *ret = take_ptr(text);
        return 0;
}
