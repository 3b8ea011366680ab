/* SPDX-License-Identifier: MIT */

#include "cli/stopped.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "balance/balance.h"
#include "cli/reach.h"
#include "cli/unit.h"
#include "config/config.h"
#include "config/find.h"
#include "core/clock.h"
#include "core/str.h"

struct stopped {
        char *path;            /* the file that start would use, or would make */
        struct config *config; /* NULL: not usable */
        char *problem;         /* then: why */
        struct reach *probes;
        size_t n_probes;
        uint64_t probe_ms; /* how long that took */
        char now[CLOCK_TEXT_MAX];
};

static void stopped_done(struct stopped *s) {
        free(s->probes);
        s->config = config_unref(s->config);
        str_freep(&s->path);
        str_freep(&s->problem);
}

static int stopped_load(struct stopped *s, const char *given) {
        struct diags diags;
        int r;

        r = config_find(&s->path, given);
        if (r == -ENOENT) {
                s->problem = str_printf("no such file");
                return 0;
        }
        if (r < 0)
                return r;

        diags_init(&diags);
        r = config_load(&s->config, s->path, &diags);
        if (r == -EINVAL)
                s->problem = str_printf("%u error%s; run: bal check", diags.n_errors,
                                        diags.n_errors == 1 ? "" : "s");
        else if (r < 0)
                s->problem = str_printf("%s", strerror(-r));
        diags_done(&diags);
        return r == -ENOMEM ? r : 0;
}

static int stopped_probe(struct stopped *s) {
        uint64_t start = clock_mono_ms();
        size_t n = 0;
        int r;

        for (size_t i = 0; i < s->config->n_pools; i++)
                n += s->config->pools[i].n_endpoints;
        s->probes = calloc(n ? n : 1, sizeof(*s->probes));
        if (!s->probes)
                return -ENOMEM;
        for (size_t i = 0; i < s->config->n_pools; i++) {
                const struct config_pool *pool = &s->config->pools[i];

                for (size_t k = 0; k < pool->n_endpoints; k++)
                        s->probes[s->n_probes++] =
                                (struct reach){ .endpoint = &pool->endpoints[k], .pool = pool };
        }
        r = reach_all(s->probes, s->n_probes, REACH_MS);
        s->probe_ms = clock_mono_ms() - start;
        return r;
}

static bool is_of(const struct reach *p, enum connect_failure f) {
        return p->failure < 0 && connect_failure_of(p->failure) == f;
}

static json_t *backend_json(const struct stopped *s, const struct reach *p) {
        bool ok = p->failure == 0;
        char text[FAILURE_TEXT_MAX];

        /* Up and down are the two verdicts that one check can have. */
        return json_pack("{s:o, s:o, s:o, s:s, s:n, s:o, s:i, s:b, s:b, s:i, s:s,"
                         " s:{s:i, s:i, s:i, s:i}}",
                         "address", out_text(p->endpoint->name), "name",
                         out_text(p->endpoint->name), "pool", out_text(p->pool->name), "state",
                         ok ? "up" : "down", "since", "reason",
                         ok ? json_null() : out_text(reach_text(p, text)), "weight",
                         (int)p->endpoint->weight, "backup", p->endpoint->backup, "reachable", ok,
                         "active_connections", 0, "last_check_time", s->now, "counters", "timeout",
                         is_of(p, CONNECT_TIMEOUT), "refused", is_of(p, CONNECT_REFUSED), "other",
                         is_of(p, CONNECT_OTHER), "closed", is_of(p, CONNECT_CLOSED));
}

static json_t *backends_json(const struct stopped *s, size_t *ret_reachable) {
        json_t *list = json_array();

        *ret_reachable = 0;
        for (size_t i = 0; list && i < s->n_probes; i++) {
                *ret_reachable += s->probes[i].failure == 0;
                if (json_array_append_new(list, backend_json(s, &s->probes[i])) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

static json_t *frontends_json(const struct config *config) {
        json_t *list = json_array();

        for (size_t i = 0; list && i < config->n_frontends; i++) {
                const struct config_frontend *f = &config->frontends[i];
                json_t *listen = json_array();
                int r;

                for (size_t k = 0; k < f->n_listen; k++) {
                        char text[ADDR_TEXT_MAX];

                        json_array_append_new(listen, out_text(addr_text(&f->listen[k], text)));
                }
                r = json_array_append_new(list,
                                          json_pack("{s:o, s:o, s:s, s:s, s:o}", "name",
                                                    out_text(f->name), "listen", listen, "protocol",
                                                    f->protocol == CONFIG_HTTP ? "http" : "tcp",
                                                    "method", f->balance->name, "pool",
                                                    out_text(config->pools[f->pool].name)));
                if (r < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

static json_t *pools_json(const struct stopped *s) {
        json_t *list = json_array();
        const struct reach *p = s->probes;

        for (size_t i = 0; list && i < s->config->n_pools; i++) {
                const struct config_pool *pool = &s->config->pools[i];
                json_int_t reachable = 0;

                for (size_t k = 0; k < pool->n_endpoints; k++)
                        reachable += (p++)->failure == 0;
                if (json_array_append_new(list,
                                          json_pack("{s:o, s:I, s:I}", "name", out_text(pool->name),
                                                    "backend_total", (json_int_t)pool->n_endpoints,
                                                    "backend_reachable", reachable)) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

/* The keys that come from the file, or what stands there without a usable one. */
static int set_config(json_t *doc, const struct stopped *s) {
        const struct config_frontend *f = s->config ? &s->config->frontends[0] : NULL;
        char text[ADDR_TEXT_MAX] = "0.0.0.0";
        size_t reachable = 0;
        json_t *backends;
        int r = 0;

        backends = s->config ? backends_json(s, &reachable) : json_array();
        if (f)
                addr_text_host(&f->listen[0], text);
        r |= json_object_set_new(doc, "bind_address", out_text(text));
        r |= json_object_set_new(doc, "port",
                                 f && addr_port(&f->listen[0])
                                         ? json_integer(addr_port(&f->listen[0]))
                                         : json_null());
        r |= json_object_set_new(doc, "method", f ? out_text(f->balance->name) : json_null());
        r |= json_object_set_new(doc, "backend_total",
                                 f ? json_integer((json_int_t)s->n_probes) : json_null());
        r |= json_object_set_new(doc, "backend_reachable",
                                 f ? json_integer((json_int_t)reachable) : json_null());
        r |= json_object_set_new(doc, "backends", backends);
        r |= json_object_set_new(doc, "frontends", f ? frontends_json(s->config) : json_array());
        r |= json_object_set_new(doc, "pools", f ? pools_json(s) : json_array());
        if (f)
                r |= json_object_set_new(doc, "probe_ms", json_integer((json_int_t)s->probe_ms));
        else
                r |= json_object_set_new(doc, "config_problem", out_text(s->problem));
        return r;
}

/* How the last one ended, where systemd runs bal and tells; a new string, or NULL. */
static char *last_exit(const struct stopped *s) {
        _cleanup_(unit_done) struct unit u = { .name = UNIT_BAL };

        return unit_starts(s->path) && unit_read(&u) == 0 ? unit_last_exit(&u) : NULL;
}

static const char *how_to_start(const struct stopped *s) {
        if (unit_starts(s->path))
                return "bal check && systemctl start bal";
        if (!s->config && strcmp(s->problem ? s->problem : "", "no such file") == 0)
                return "bal start -d   (it writes a first configuration)";
        return "bal check && bal start -d";
}

static int set_parts(json_t *doc,
                     const struct stopped *s,
                     const char *socket,
                     const char *why,
                     int error) {
        _cleanup_(str_freep) char *what = str_printf("no daemon answers on %s (%s)", socket, why);
        _cleanup_(str_freep) char *ended = last_exit(s);
        _cleanup_(str_freep) char *likely =
                str_printf("%s%s%s",
                           error == -ECONNREFUSED ? "the daemon died and left its socket behind"
                                                  : "not started",
                           ended ? "; " : "", ended ? ended : "");
        const char *now = how_to_start(s);
        int r = 0;

        r |= json_object_set_new(doc, "what_happened", out_text(what));
        r |= json_object_set_new(doc, "why_likely", out_text(likely));
        r |= json_object_set_new(doc, "do_this_now", out_text(now));
        return r;
}

static json_t *document(const struct stopped *s, const char *socket, const char *why, int error) {
        json_t *doc = out_document("bal.status");
        char host[256] = "";
        int r = 0;

        if (gethostname(host, sizeof(host) - 1) < 0)
                host[0] = '\0';
        if (!doc)
                return NULL;
        r |= json_object_set_new(doc, "verdict", json_string("NOT RUNNING"));
        r |= json_object_set_new(doc, "version", json_null());
        r |= json_object_set_new(doc, "hostname", out_text(host));
        r |= json_object_set_new(doc, "running", json_false());
        r |= json_object_set_new(doc, "pid", json_null());
        r |= json_object_set_new(doc, "uptime_s", json_null());
        r |= json_object_set_new(doc, "config_path", out_text(s->path));
        r |= json_object_set_new(doc, "config_number", json_null());
        r |= json_object_set_new(doc, "socket", out_text(socket));
        r |= json_object_set_new(doc, "time", json_string(s->now));
        r |= json_object_set_new(doc, "active_connections", json_integer(0));
        r |= json_object_set_new(doc, "last_check_time", json_string(s->now));
        r |= json_object_set_new(doc, "protection_mode",
                                 json_pack("{s:b, s:n}", "enabled", 0, "reason"));
        r |= set_config(doc, s);
        r |= set_parts(doc, s, socket ? socket : "its socket", why, error);
        if (r == 0)
                return doc;
        json_decref(doc);
        return NULL;
}

int stopped_document(json_t **ret,
                     const struct cli *c,
                     const char *socket,
                     const char *why,
                     int error) {
        _cleanup_(stopped_done) struct stopped s = { .path = NULL };
        json_t *doc;
        int r;

        r = stopped_load(&s, c->args.config);
        if (r < 0)
                return r;
        clock_text(clock_real_us(), s.now);
        if (s.config) {
                r = stopped_probe(&s);
                if (r < 0)
                        return r;
        }
        doc = document(&s, socket, why, error);
        if (!doc)
                return -ENOMEM;
        *ret = doc;
        return 0;
}
