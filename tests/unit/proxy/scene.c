/* SPDX-License-Identifier: MIT */

#include "scene.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "net/sock.h"

#define QUEUE 64

static struct scene *scene; /* the one that is on */

struct worker *__real_crew_worker(const struct crew *crew, unsigned index);
struct worker *__wrap_crew_worker(const struct crew *crew, unsigned index);
int __real_sock_connect(int *ret, const struct addr *a);
int __wrap_sock_connect(int *ret, const struct addr *a);

struct worker *__wrap_crew_worker(const struct crew *crew, unsigned index) {
        return scene && index == 0 ? scene->l.w : __real_crew_worker(crew, index);
}

int __wrap_sock_connect(int *ret, const struct addr *a) {
        unsigned i;

        if (!scene) /* clients */
                return __real_sock_connect(ret, a);
        i = scene->n_dials++ % DIALS_MAX;
        scene->dials[i] = -1;
        for (unsigned k = 0; k < scene->n_doors; k++)
                if (addr_equal(a, &scene->doors[k].addr))
                        scene->dials[i] = (int)k;
        return scene->fate[i] < 0 ? scene->fate[i] : __real_sock_connect(ret, a);
}

static unsigned count_fds(void) {
        DIR *dir = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

/* ---- doors ---- */

void door_open(struct door *d) {
        if (d->fd < 0)
                assert_int_equal(sock_listen(&d->fd, &d->addr, QUEUE), 0);
}

void door_close(struct door *d) {
        d->fill = fd_close(d->fill);
        d->fd = fd_close(d->fd);
}

/* Connected; in the queue of who listens there as soon as this returns. */
static int knock(const struct addr *a) {
        int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_return_code(fd, errno);
        assert_return_code(connect(fd, &a->sa, a->len), errno);
        return fd;
}

void door_fill(struct door *d) {
        door_open(d);
        assert_return_code(listen(d->fd, 0), errno);
        d->fill = knock(&d->addr);
}

void door_clear(struct door *d) {
        assert_return_code(listen(d->fd, QUEUE), errno);
        fd_close(accept4(d->fd, NULL, NULL, SOCK_CLOEXEC));
        d->fill = fd_close(d->fill);
}

bool door_has(const struct door *d) {
        struct pollfd p = { .fd = d->fd, .events = POLLIN };

        return poll(&p, 1, 0) == 1;
}

/* At port, or at any. Without a listener the port refuses. */
static void door_init(struct door *d, const char *host, uint16_t port) {
        *d = (struct door){ .keep = -EBADF, .fd = -EBADF, .fill = -EBADF };
        assert_int_equal(addr_parse_host(&d->addr, host, 1), 0);
        addr_set_port(&d->addr, port);
        assert_int_equal(sock_listen(&d->keep, &d->addr, SOCK_TRY), 0);
        assert_return_code(getsockname(d->keep, &d->addr.sa, &d->addr.len), errno);
        door_open(d);
}

static void door_done(struct door *d) {
        door_close(d);
        fd_close(d->keep);
}

/* ---- peers ---- */

static struct peer *peer_new(struct scene *sc, int fd) {
        struct peer *p = calloc(1, sizeof(*p));

        assert_non_null(p);
        assert_true(sc->n_peers < PEERS_MAX);
        assert_return_code(fcntl(fd, F_SETFL, O_NONBLOCK), errno);
        p->fd = fd;
        sc->peers[sc->n_peers++] = p;
        return p;
}

struct peer *door_take(struct scene *sc, struct door *d) {
        int fd;

        until(sc, door_has(d));
        fd = accept4(d->fd, NULL, NULL, SOCK_CLOEXEC);
        assert_return_code(fd, errno);
        return peer_new(sc, fd);
}

struct peer *scene_client_at(struct scene *sc, size_t frontend) {
        struct accepted a = { .upstream = sc->l.w->view->upstream, .frontend = frontend };
        struct peer *p = peer_new(sc, knock(&sc->where));
        socklen_t len = sizeof(a.peer);

        a.fd = accept4(sc->entrance, &a.peer.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        assert_return_code(a.fd, errno);
        p->id = sc->l.w->next_session;
        worker_count_client(sc->l.w);
        session_accept(sc->l.w, &a);
        return p;
}

struct peer *scene_client(struct scene *sc) {
        return scene_client_at(sc, 0);
}

struct session *session_of(const struct scene *sc, const struct peer *p) {
        list_for_each(l, &sc->l.w->sessions) {
                struct session *s = container_of(l, struct session, link);

                if (s->id == p->id)
                        return s;
        }
        return NULL;
}

int phase_of(const struct scene *sc, const struct peer *p) {
        const struct session *s = session_of(sc, p);

        return s ? s->phase : -1;
}

struct endpoint *endpoint_of(const struct scene *sc, unsigned server) {
        return sc->l.w->view->upstream->pools[0].endpoints[server].endpoint;
}

struct endpoint_counters *counted(const struct scene *sc, unsigned server) {
        return &endpoint_of(sc, server)->per_worker[0];
}

uint64_t closed(const struct scene *sc, unsigned reason) {
        return sc->l.w->counters.closed[reason];
}

void peer_say(struct peer *p, const char *text) {
        assert_int_equal(send(p->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void peer_read(struct peer *p) {
        char away[65536];
        ssize_t n;

        while (!p->eof && p->error == 0) {
                n = recv(p->fd, away, sizeof(away), 0);
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n < 0)
                        p->error = errno;
                else if (n == 0)
                        p->eof = true;
                for (ssize_t i = 0; i < n && p->n < sizeof(p->text) - 1; i++)
                        p->text[p->n++] = away[i];
        }
}

bool peer_has(struct peer *p, const char *text) {
        peer_read(p);
        return strstr(p->text, text);
}

bool peer_ended(struct peer *p) {
        peer_read(p);
        return p->eof || p->error != 0;
}

void peer_clear(struct peer *p) {
        peer_read(p);
        memset(p->text, 0, sizeof(p->text));
        p->n = 0;
}

void peer_finish(struct peer *p) {
        assert_return_code(shutdown(p->fd, SHUT_WR), errno);
}

void peer_close(struct peer *p) {
        p->fd = fd_close(p->fd);
}

void peer_reset(struct peer *p) {
        sock_reset_at_close(p->fd);
        peer_close(p);
}

/* ---- the whole ---- */

static const char *or_none(const char *text) {
        return text ? text : "";
}

static struct upstream *load(struct scene *sc, const struct plan *plan, bool first) {
        char text[4096], servers[1024], name[ADDR_TEXT_MAX];
        struct addr ips[DOORS];
        struct upstream_names names[] = { { "db.test", ips, sc->n_doors }, { NULL, NULL, 0 } };
        size_t n = 0;

        for (unsigned i = 0; i < DOORS; i++)
                ips[i] = sc->doors[i].addr;
        if (plan->named)
                n += (size_t)snprintf(servers, sizeof(servers), "{ address: \"db.test:%u\"%s }",
                                      addr_port(&sc->doors[0].addr), or_none(plan->server[0]));
        for (unsigned i = 0; i < (plan->named ? 0 : plan->n ? plan->n : 1); i++)
                n += (size_t)snprintf(servers + n, sizeof(servers) - n, "%s{ address: \"%s\"%s }",
                                      i > 0 ? ", " : "", addr_text(&sc->doors[i].addr, name),
                                      or_none(plan->server[i]));
        snprintf(text, sizeof(text),
                 "frontends:\n"
                 "  - { name: f, listen: \"127.0.0.1:1\", backend: p, algorithm: first, "
                 "protocol: %s%s%s%s%s }\n%s"
                 "backends:\n"
                 "  - { name: p, health_check: { type: none }, servers: [ %s ]%s }\n%s",
                 plan->http ? "http" : "tcp", plan->keys ? ", http: { access_log: all" : "",
                 or_none(plan->keys), plan->keys ? " }" : "", or_none(plan->frontend),
                 or_none(plan->more), servers, or_none(plan->pool), or_none(plan->more_pools));
        if (!first)
                return stage_load(&sc->l.stage, text, names);
        lone_init_text(&sc->l, text, names);
        return NULL;
}

void scene_init(struct scene *sc, const struct plan *plan) {
        *sc = (struct scene){ .n_fds = count_fds() };
        sc->n_doors = plan->named || plan->n > 0 ? DOORS : 1;
        for (unsigned i = 0; i < sc->n_doors; i++) {
                char host[16];

                snprintf(host, sizeof(host), SOURCES_IP "%u", plan->named ? i + 1 : 1);
                door_init(&sc->doors[i], host,
                          plan->named && i > 0 ? addr_port(&sc->doors[0].addr) : 0);
        }
        sc->entrance = listen_somewhere(&sc->where);
        load(sc, plan, true);
        scene = sc;
}

void scene_reload(struct scene *sc, const struct plan *plan) {
        struct upstream *before = sc->l.stage.u;

        sc->reloaded = true;
        sc->l.stage.u = load(sc, plan, false);
        upstream_publish(sc->l.stage.u, 1000);
        lone_adopt(&sc->l, NULL, 0);
        upstream_unref(before);
}

void scene_check_empty(struct scene *sc) {
        const struct upstream *u = sc->l.stage.u;
        struct worker *w = sc->l.w;

        warm_sweep(w, true);
        assert_true(link_idle(&w->sessions) && link_idle(&w->idle) && link_idle(&w->lingering));
        assert_int_equal(w->counters.sessions_now, 0);
        assert_int_equal(w->counters.n_waiting, 0);
        assert_int_equal(w->counters.n_idle, 0);
        assert_int_equal(w->n_turned_away, 0);
        assert_int_equal(w->stock.buffers.n_lent, 0);
        assert_int_equal(w->stock.pipes.n_lent, 0);
        assert_ptr_equal(w->views.next, &w->view->link); /* the newest, and no other */
        assert_ptr_equal(w->views.prev, &w->view->link);
        assert_int_equal(w->view->n_sessions, 0);
        assert_int_equal(gate_now(&u->all->gate), 0);
        assert_int_equal(u->all->waiting, 0);
        assert_int_equal(gate_now(crew_descriptors(sc->l.stage.crew)), 0);
        for (size_t i = 0; i < u->config->n_frontends; i++) {
                assert_int_equal(gate_now(&u->frontends[i].frontend->gate), 0);
                assert_int_equal(u->frontends[i].frontend->waiting, 0);
                assert_int_equal(u->frontends[i].frontend->entering, 0);
        }
        for (size_t i = 0; i < u->config->n_pools; i++)
                for (size_t k = 0; k < u->pools[i].n_endpoints; k++) {
                        struct endpoint *e = u->pools[i].endpoints[k].endpoint;

                        assert_int_equal(gate_now(&e->gate), 0);
                        assert_int_equal(endpoint_active(e), 0);
                        if (!sc->reloaded) /* else an older generation may have them, too */
                                assert_int_equal(u->pools[i].endpoints[k].addrs->refs, 1);
                }
}

static bool forget(const struct log_record *record, void *userdata) {
        (void)record;
        (void)userdata;
        return true;
}

void scene_done(struct scene *sc) {
        struct worker *w = sc->l.w;

        while (!link_idle(&w->sessions))
                session_close(container_of(w->sessions.next, struct session, link), CLOSE_SHUTDOWN);
        scene_check_empty(sc);
        scene = NULL;
        lone_done(&sc->l);
        while (log_drain(forget, NULL) > 0)
                ;
        for (unsigned i = 0; i < sc->n_peers; i++) {
                fd_close(sc->peers[i]->fd);
                free(sc->peers[i]);
        }
        for (unsigned i = 0; i < sc->n_doors; i++)
                door_done(&sc->doors[i]);
        fd_close(sc->entrance);
        assert_int_equal(count_fds(), sc->n_fds);
}

void scene_fire(struct scene *sc, struct session *s) {
        timer_set(sc->l.w->loop, &s->timer, 0);
        lone_turn(&sc->l);
}

void scene_turns(struct scene *sc, unsigned n) {
        for (; n > 0; n--)
                lone_turn(&sc->l);
}
