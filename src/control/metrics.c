/* SPDX-License-Identifier: MIT */

#include "control/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "control/metrics_http.h"
#include "control/metrics_scene.h"
#include "control/state.h"
#include "core/str.h"
#include "net/owner.h"
#include "net/sock.h"

#define LOG_MODULE "metrics"

#define BACKLOG 64

struct metrics {
        struct supervisor *supervisor; /* borrowed */
        struct metrics_http *http;     /* NULL: nobody is served */
        bool on;                       /* what the file says */
        char *address, *path;          /* likewise; owned; NULL: not known yet */
        int error;                     /* why nobody is served although it is on */
        unsigned n_ticks;
};

static int write_page(struct exposition *ret, enum exposition_format f, void *userdata) {
        const struct metrics *m = userdata;
        struct metrics_scene scene;
        int r;

        r = metrics_scene_new(&scene, m->supervisor);
        if (r < 0)
                return r;
        exposition_init(ret, f, METRICS_TEXT_MAX);
        metrics_write(ret, &scene, 0, METRICS_TEXT_MAX);
        metrics_scene_done(&scene);
        r = ret->out.error;
        if (r < 0)
                exposition_done(ret);
        return r;
}

/* ---- words ---- */

/* "cannot serve metrics on 127.0.0.1:9090: Address already in use by pid 77 (prometheus); ..." */
static char *problem_text(const char *address, int error) {
        struct owner owner = { 0 };
        struct addr a;

        if (error == -ENOSYS)
                return strdup("metrics are not served: this bal was built without libmicrohttpd; "
                              "bal metrics prints them all the same");
        if (error == -ELIBACC)
                return str_printf("metrics are not served: %s; install libmicrohttpd12, or set "
                                  "metrics: { enabled: false }",
                                  metrics_http_library());
        if (error == -EADDRINUSE && addr_parse(&a, address) == 0)
                owner_of_addr(&owner, &a);
        if (owner.pid > 0)
                return str_printf("cannot serve metrics on %s: %s by pid %d (%s); give them "
                                  "another address (metrics: address)",
                                  address, strerrordesc_np(-error), owner.pid, owner.command);
        return str_printf("cannot serve metrics on %s: %s; give them another address "
                          "(metrics: address)",
                          address, strerrordesc_np(-error));
}

char *metrics_problem(const struct metrics *m) {
        return m->error < 0 ? problem_text(m->address, m->error) : NULL;
}

/* What bal itself has will be free by then. */
static bool is_own_port(const struct metrics *m, const struct addr *a) {
        struct addr own;

        return m->http && addr_parse(&own, m->address) == 0 && addr_port(&own) == addr_port(a);
}

char *metrics_try(const struct metrics *m, const struct config *c) {
        struct addr a;
        int r;

        if (!c->metrics)
                return NULL;
        r = addr_parse(&a, c->metrics_address);
        if (r == 0)
                r = is_own_port(m, &a) ? 0 : sock_try_listen(&a);
        return r < 0 ? problem_text(c->metrics_address, r) : NULL;
}

/* ---- serving ---- */

static void tell(const struct metrics *m, bool on) {
        log_info(metrics_listening, "serving metrics was switched", F_STR("address", m->address),
                 F_STR("path", m->path), F_BOOL("on", on));
}

static void tell_error(const struct metrics *m) {
        _cleanup_(str_freep) char *text = problem_text(m->address, m->error);

        log_warn(metrics_listen_failed, "bal runs on without its metrics",
                 F_STR("address", m->address), F_STR("reason", text), F_ERR(m->error));
}

/* Nobody could be served, so nobody shall wait for it. */
static void on_failed(int error, void *userdata) {
        struct metrics *m = userdata;

        m->http = metrics_http_free(m->http);
        m->error = error;
        tell(m, false);
        tell_error(m);
}

static int serve(struct metrics *m) {
        const struct metrics_http_hooks hooks = { write_page, on_failed, m };
        struct addr a;
        int fd, r;

        r = addr_parse(&a, m->address);
        if (r == 0)
                r = sock_listen(&fd, &a, BACKLOG);
        if (r < 0)
                return r;
        return metrics_http_new(&m->http, m->supervisor->event, fd, m->path, &hooks);
}

/* first: somebody should hear of it when it fails; it is tried again without a word. */
static void start(struct metrics *m, bool first) {
        int before = m->error;

        m->error = serve(m);
        if (m->error == 0)
                tell(m, true);
        else if (first || m->error != before)
                tell_error(m);
}

static void stop(struct metrics *m) {
        m->error = 0;
        if (!m->http)
                return;
        m->http = metrics_http_free(m->http);
        tell(m, false);
}

/* *mine becomes text. 1: it has changed; 0: it has not; -ENOMEM. */
static int take_over(char **mine, const char *text) {
        char *copy;

        if (*mine && strcmp(*mine, text) == 0)
                return 0;
        copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        free(*mine);
        *mine = copy;
        return 1;
}

void metrics_adopt(struct metrics *m, const struct config *c) {
        bool moves = !c->metrics || !m->address || strcmp(m->address, c->metrics_address) != 0;
        int r;

        if (moves)
                stop(m);
        m->on = c->metrics;
        r = take_over(&m->address, c->metrics_address);
        if (r >= 0)
                r = take_over(&m->path, c->metrics_path);
        if (r > 0 && m->http) {
                r = metrics_http_set_path(m->http, m->path);
                tell(m, true);
        }
        if (r < 0)
                log_error(internal_error, "no memory to serve metrics as the file says", F_ERR(r));
        if (m->on && !m->http && m->address && m->path)
                start(m, true);
}

void metrics_tick(struct metrics *m) {
        m->n_ticks++;
        if (m->http)
                metrics_http_tick(m->http);
        else if (m->error < 0 && m->n_ticks % METRICS_RETRY_S == 0)
                start(m, false);
}

int metrics_new(struct metrics **ret, struct supervisor *s) {
        struct metrics *m = calloc(1, sizeof(*m));

        if (!m)
                return -ENOMEM;
        m->supervisor = s;
        *ret = m;
        return 0;
}

struct metrics *metrics_free(struct metrics *m) {
        if (!m)
                return NULL;
        metrics_http_free(m->http);
        free(m->address);
        free(m->path);
        free(m);
        return NULL;
}
