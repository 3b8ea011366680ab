/* SPDX-License-Identifier: MIT */
/*
 * tools/torture.c - both ends of many sessions through a proxy, as nasty as two ends may be.
 *
 *   torture --listen ADDR --to ADDR [--sessions N] [--min BYTES] [--max BYTES] [--seed N]
 *           [--silence-ms N] [--urgent]
 *
 * The proxy's backend is --listen, the proxy itself is --to. Each session sends a random amount
 * both ways at once, in chunks from one byte to a megabyte; ends stall, read slowly, have small
 * buffers; either end shuts its side first, and in some sessions an end speaks only after the other
 * has shut its side, so a FIN that is not passed on hangs them. What byte stands where follows from
 * the session's number, so the receiver checks every one of them, and both hash what they saw.
 *
 * One JSON object on stdout; exit status 1 when a session failed or fell silent.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common.h"

#define CHUNK_MAX    (1 << 20)
#define HELLO_SIZE   8
#define STALL_MAX_US 700000

enum turn { TURN_BOTH, TURN_CLIENT_FIRST, TURN_SERVER_FIRST, TURNS };

struct session {           /* what both ends agree on */
        uint64_t up, down; /* bytes: client to server, server to client */
        enum turn turn;
        uint64_t sent_hash[2], got_hash[2]; /* 0: up, 1: down */
        _Atomic int64_t progress_us; /* a byte arrived somewhere, or an end is stalling until */
        _Atomic int done;            /* ends that are through, 2 in all */
        _Atomic bool failed;
};

struct end {
        bool server;
        int fd;
        struct session *session; /* NULL: the hello has not come */
        uint64_t number;
        uint64_t to_send, sent, to_get, got;
        uint64_t random;
        bool connecting, eof, shut;
        size_t chunk_left;                    /* of the present send */
        size_t send_most;                     /* what the socket takes at once, about */
        int64_t send_stall_us, read_stall_us; /* until then it does not */
        size_t read_size;                     /* a slow reader takes so much at a time */
        uint32_t events;
        size_t hello_got;
        unsigned char hello[HELLO_SIZE];
};

struct side { /* one thread: all clients, or all servers */
        bool server, urgent;
        int epoll_fd, listen_fd;
        struct end *ends;
        size_t n_ends, live;
        unsigned char *buffer;
};

static struct session *sessions;
static size_t n_sessions = 200;
static uint64_t seed = 1;
static int64_t silence_us = 4000000;
static atomic_bool stop;
static _Atomic int64_t slowest_us; /* turn of a loop of ours: such a silence is our own */

static void complain(struct end *e, const char *what, int error) {
        fprintf(stderr, "session %llu, %s: %s%s%s (sent %llu of %llu, got %llu of %llu)\n",
                (unsigned long long)e->number, e->server ? "server" : "client", what,
                error ? ": " : "", error ? strerror(error) : "", (unsigned long long)e->sent,
                (unsigned long long)e->to_send, (unsigned long long)e->got,
                (unsigned long long)e->to_get);
        if (e->session)
                atomic_store(&e->session->failed, true);
}

static void end_close(struct side *side, struct end *e) {
        if (e->session)
                atomic_fetch_add(&e->session->done, 1);
        close(e->fd);
        e->fd = -EBADF;
        side->live--;
}

static void fill(unsigned char *bytes, size_t n, uint64_t stream, uint64_t at) {
        while (n > 0) {
                uint64_t word = mix64(stream ^ (at / 8));
                size_t skip = at % 8, take = 8 - skip < n ? 8 - skip : n;

                memcpy(bytes, (unsigned char *)&word + skip, take);
                bytes += take;
                at += take;
                n -= take;
        }
}

static uint64_t stream_of(uint64_t number, bool down) {
        return mix64(seed * 2654435761 + number * 2 + down);
}

static uint64_t hash_on(uint64_t hash, const unsigned char *bytes, size_t n) {
        for (size_t i = 0; i < n; i++)
                hash = (hash ^ bytes[i]) * 0x100000001b3;
        return hash;
}

static size_t random_chunk(uint64_t *state) { /* as many small ones as big ones */
        size_t top = (size_t)1 << random_next(state) % 21;

        return top / 2 + random_next(state) % (top / 2 + 1) + (top == 1);
}

static void end_take_session(struct end *e, uint64_t n) {
        struct session *s = &sessions[n];

        e->session = s;
        e->number = n;
        e->random = mix64(seed ^ (n * 2 + e->server)) | 1;
        e->to_send = e->server ? s->down : s->up;
        e->to_get = e->server ? s->up : s->down;
        e->send_most = 65536;
        e->read_size = random_next(&e->random) % 4 == 0 ? 4096 : CHUNK_MAX;
}

static bool end_may_send(const struct end *e, int64_t now) {
        if (!e->session || e->shut || now < e->send_stall_us)
                return false;
        if (e->session->turn == (e->server ? TURN_CLIENT_FIRST : TURN_SERVER_FIRST))
                return e->eof;
        return true;
}

static bool end_may_read(const struct end *e, int64_t now) {
        return !e->eof && now >= e->read_stall_us;
}

/* Now and then an end does nothing for a while; this counts as progress, since it is meant. */
static void end_maybe_stall(struct end *e, int64_t now, int64_t *until) {
        int64_t expected = atomic_load(&e->session->progress_us);

        if (random_next(&e->random) % 512 != 0)
                return;
        *until = now + (int64_t)(random_next(&e->random) % STALL_MAX_US);
        while (expected < *until &&
               !atomic_compare_exchange_weak(&e->session->progress_us, &expected, *until))
                ;
}

static void end_progress(struct end *e, int64_t now) {
        int64_t expected = atomic_load(&e->session->progress_us);

        while (expected < now &&
               !atomic_compare_exchange_weak(&e->session->progress_us, &expected, now))
                ;
}

/* False: the end is closed. */
static bool end_send(struct side *side, struct end *e, int64_t now) {
        for (int i = 0; i < 4 && e->sent < e->to_send && end_may_send(e, now); i++) {
                uint64_t left = e->to_send - e->sent;
                size_t n;
                ssize_t done;

                if (e->chunk_left == 0)
                        e->chunk_left = random_chunk(&e->random);
                n = e->chunk_left < left ? e->chunk_left : (size_t)left;
                n = n < e->send_most ? n : e->send_most; /* bytes nobody takes are made in vain */
                fill(side->buffer, n, stream_of(e->number, e->server), e->sent);
                done = send(
                        e->fd, side->buffer, n,
                        MSG_NOSIGNAL |
                                (side->urgent && random_next(&e->random) % 64 == 0 ? MSG_OOB : 0));
                if (done < 0 && errno == EAGAIN)
                        return true;
                if (done < 0) {
                        complain(e, "send", errno);
                        end_close(side, e);
                        return false;
                }
                e->session->sent_hash[e->server] =
                        hash_on(e->session->sent_hash[e->server], side->buffer, (size_t)done);
                e->sent += (size_t)done;
                e->chunk_left -= (size_t)done;
                if ((size_t)done < n)
                        e->send_most = (size_t)done + 4096;
                else if (e->send_most < CHUNK_MAX)
                        e->send_most *= 2;
                end_maybe_stall(e, now, &e->send_stall_us);
        }
        if (e->sent == e->to_send && end_may_send(e, now)) {
                e->shut = true;
                shutdown(e->fd, SHUT_WR);
        }
        return true;
}

static bool end_check(struct side *side, struct end *e, const unsigned char *bytes, size_t n) {
        unsigned char want[65536];

        for (size_t at = 0; at < n; at += sizeof(want)) {
                size_t step = n - at < sizeof(want) ? n - at : sizeof(want);

                fill(want, step, stream_of(e->number, !e->server), e->got + at);
                if (memcmp(want, bytes + at, step) == 0)
                        continue;
                complain(e, "wrong bytes arrived", 0);
                end_close(side, e);
                return false;
        }
        e->session->got_hash[!e->server] = hash_on(e->session->got_hash[!e->server], bytes, n);
        e->got += n;
        return true;
}

/* The first bytes a client sends are its session's number: outside of the stream. */
static size_t end_hello(struct end *e, const unsigned char *bytes, size_t n) {
        size_t take = HELLO_SIZE - e->hello_got < n ? HELLO_SIZE - e->hello_got : n;
        uint64_t session;

        memcpy(e->hello + e->hello_got, bytes, take);
        e->hello_got += take;
        if (e->hello_got == HELLO_SIZE) {
                memcpy(&session, e->hello, sizeof(session));
                if (session < n_sessions)
                        end_take_session(e, session);
                else
                        e->eof = true;
        }
        return take;
}

static bool end_read(struct side *side, struct end *e, int64_t now) {
        for (int i = 0; i < 2 && end_may_read(e, now); i++) {
                size_t skip = 0;
                ssize_t n;

                n = recv(e->fd, side->buffer, e->session ? e->read_size : 4096, 0);
                if (n < 0 && errno == EAGAIN)
                        return true;
                if (n < 0) {
                        complain(e, "recv", errno);
                        end_close(side, e);
                        return false;
                }
                if (n == 0) {
                        e->eof = true;
                        break;
                }
                if (!e->session)
                        skip = end_hello(e, side->buffer, (size_t)n);
                if (!e->session)
                        continue;
                end_progress(e, now);
                if (!end_check(side, e, side->buffer + skip, (size_t)n - skip))
                        return false;
                end_maybe_stall(e, now, &e->read_stall_us);
        }
        return true;
}

static void end_on_ready(struct side *side, struct end *e, uint32_t events, int64_t now) {
        uint32_t want;
        int r;

        if (e->connecting && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
                r = socket_error(e->fd);
                if (r == 0 && send(e->fd, &e->number, HELLO_SIZE, MSG_NOSIGNAL) != HELLO_SIZE)
                        r = -EPIPE;
                if (r < 0) {
                        complain(e, "connect", -r);
                        end_close(side, e);
                        return;
                }
                e->connecting = false;
        }
        if (e->connecting)
                return;
        if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !end_read(side, e, now))
                return;
        if (!end_send(side, e, now))
                return;
        if (e->eof && (e->shut || !e->session)) {
                if (!e->session || e->got != e->to_get)
                        complain(e, "the end came early", 0);
                end_close(side, e);
                return;
        }
        want = (end_may_read(e, now) ? EPOLLIN : 0) | (end_may_send(e, now) ? EPOLLOUT : 0);
        if (want == e->events)
                return;
        e->events = want;
        epoll_ctl(side->epoll_fd, EPOLL_CTL_MOD, e->fd,
                  &(struct epoll_event){ .events = want, .data.ptr = e });
}

/* An accepted socket has settled its segment size already: buffers smaller than a segment of the
 * loopback device would wait for a timer with every one. */
static int random_buffer(bool server, uint64_t n) {
        static const int sizes[2][5] = { { 0, 0, 0, 24576, 131072 }, { 0, 0, 0, 131072, 262144 } };

        return sizes[server][mix64(seed + n) % ELEMENTS(sizes[server])];
}

static bool end_watch(struct side *side, struct end *e, uint32_t events) {
        e->events = events;
        side->live++;
        return epoll_ctl(side->epoll_fd, EPOLL_CTL_ADD, e->fd,
                         &(struct epoll_event){ .events = events, .data.ptr = e }) == 0;
}

static void side_accept(struct side *side) {
        for (;;) {
                struct end *e;
                int fd;

                fd = accept4(side->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0)
                        return;
                if (side->n_ends == n_sessions) { /* a proxy that connects twice */
                        fprintf(stderr, "more connections than sessions\n");
                        atomic_store(&sessions[0].failed, true);
                        close(fd);
                        continue;
                }
                socket_shape(fd, random_buffer(true, side->n_ends));
                e = &side->ends[side->n_ends++];
                *e = (struct end){ .server = true, .fd = fd };
                end_watch(side, e, EPOLLIN);
        }
}

static void side_connect(struct side *side, const struct target *to) {
        for (size_t i = 0; i < n_sessions; i++) {
                struct end *e = &side->ends[side->n_ends++];

                *e = (struct end){ .fd = target_connect(to, NULL, random_buffer(false, i)),
                                   .connecting = true };
                end_take_session(e, i);
                if (e->fd >= 0 && end_watch(side, e, EPOLLOUT))
                        continue;
                complain(e, "connect", e->fd < 0 ? -e->fd : errno);
                atomic_fetch_add(&e->session->done, 1);
        }
}

static void *side_run(void *arg) {
        struct side *side = arg;
        struct epoll_event ready[256];

        while (!atomic_load(&stop)) {
                int n, timeout_ms = 5;
                int64_t now;

                n = epoll_wait(side->epoll_fd, ready, ELEMENTS(ready), timeout_ms);
                now = now_us();
                for (int i = 0; i < n; i++) {
                        if (ready[i].data.ptr)
                                end_on_ready(side, ready[i].data.ptr, ready[i].events, now);
                        else
                                side_accept(side);
                }
                for (size_t i = 0; i < side->n_ends; i++) { /* those whose stall is over */
                        struct end *e = &side->ends[i];

                        if (e->fd >= 0 && !e->connecting && e->events != (EPOLLIN | EPOLLOUT))
                                end_on_ready(side, e, 0, now);
                }
                now = now_us() - now;
                if (now > atomic_load(&slowest_us)) /* two threads: the lesser may win, once */
                        atomic_store(&slowest_us, now);
        }
        return NULL;
}

static void side_init(struct side *side, bool server, bool urgent, int listen_fd) {
        *side = (struct side){ .server = server, .urgent = urgent, .listen_fd = listen_fd };
        side->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        side->ends = calloc(n_sessions, sizeof(*side->ends));
        side->buffer = malloc(CHUNK_MAX);
        if (side->epoll_fd < 0 || !side->ends || !side->buffer)
                fail("cannot set up: %s", strerror(errno));
        if (listen_fd >= 0)
                epoll_ctl(side->epoll_fd, EPOLL_CTL_ADD, listen_fd,
                          &(struct epoll_event){ .events = EPOLLIN });
}

static void side_done(struct side *side) {
        for (size_t i = 0; i < side->n_ends; i++) {
                if (side->ends[i].fd >= 0)
                        close(side->ends[i].fd);
        }
        close(side->epoll_fd);
        free(side->ends);
        free(side->buffer);
}

/* Waits for all; returns the worst silence seen, or -1 when one became too long. */
static int64_t watch(void) {
        int64_t worst = 0;

        for (;;) {
                size_t through = 0;
                int64_t now;

                usleep(20000);
                now = now_us();
                for (size_t i = 0; i < n_sessions; i++) {
                        struct session *s = &sessions[i];
                        int64_t silent = now - atomic_load(&s->progress_us);

                        if (atomic_load(&s->done) == 2 || atomic_load(&s->failed)) {
                                through++;
                                continue;
                        }
                        worst = silent > worst ? silent : worst;
                        if (silent > silence_us + 2 * atomic_load(&slowest_us)) {
                                fprintf(stderr, "session %zu has been silent for %lld ms\n", i,
                                        (long long)silent / 1000);
                                atomic_store(&s->failed, true);
                        }
                }
                if (through == n_sessions)
                        return worst;
        }
}

static void draw_sessions(uint64_t min, uint64_t max) {
        uint64_t random = mix64(seed) | 1;

        sessions = calloc(n_sessions, sizeof(*sessions));
        if (!sessions)
                fail("out of memory");
        for (size_t i = 0; i < n_sessions; i++) {
                struct session *s = &sessions[i];

                s->up = min + random_next(&random) % (max - min + 1);
                s->down = min + random_next(&random) % (max - min + 1);
                s->turn = random_next(&random) % 4 ? TURN_BOTH : 1 + random_next(&random) % 2;
                atomic_store(&s->progress_us, now_us());
        }
}

static int report(int64_t worst_us,
                  int64_t took_us,
                  const struct side *client,
                  const struct side *server) {
        uint64_t bytes = 0;
        size_t failed = 0, wrong = 0;

        for (size_t i = 0; i < n_sessions; i++) {
                struct session *s = &sessions[i];

                failed += atomic_load(&s->failed);
                wrong += s->sent_hash[0] != s->got_hash[0] || s->sent_hash[1] != s->got_hash[1];
                bytes += s->up + s->down;
        }
        printf("{\"sessions\":%zu,\"failed\":%zu,\"hashes_differ\":%zu,\"bytes\":%llu,"
               "\"seconds\":%.2f,\"worst_silence_ms\":%lld,\"own_pause_ms\":%lld,\"open_clients\":%zu,"
               "\"open_servers\":%zu}\n",
               n_sessions, failed, wrong, (unsigned long long)bytes, (double)took_us / 1e6,
               (long long)worst_us / 1000, (long long)atomic_load(&slowest_us) / 1000, client->live,
               server->live);
        return failed || wrong ? 1 : 0;
}

int main(int argc, char **argv) {
        static const struct option options[] = {
                { "listen", required_argument, NULL, 'l' },
                { "to", required_argument, NULL, 't' },
                { "sessions", required_argument, NULL, 'n' },
                { "min", required_argument, NULL, 'a' },
                { "max", required_argument, NULL, 'z' },
                { "seed", required_argument, NULL, 's' },
                { "silence-ms", required_argument, NULL, 'q' },
                { "urgent", no_argument, NULL, 'u' },
                { NULL, 0, NULL, 0 },
        };
        uint64_t min = 1 << 20, max = 50 << 20;
        struct target listen = { 0 }, to = { 0 };
        struct side client, server;
        pthread_t threads[2];
        int64_t start_us, worst_us;
        bool urgent = false;
        int option, listen_fd, r;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                switch (option) {
                case 'l':
                        listen = target_parse(optarg);
                        break;
                case 't':
                        to = target_parse(optarg);
                        break;
                case 'n':
                        n_sessions = number(optarg);
                        break;
                case 'a':
                        min = number(optarg);
                        break;
                case 'z':
                        max = number(optarg);
                        break;
                case 's':
                        seed = number(optarg);
                        break;
                case 'q':
                        silence_us = (int64_t)number(optarg) * 1000;
                        break;
                case 'u':
                        urgent = true;
                        break;
                default:
                        return 64;
                }
        }
        if (!listen.len || !to.len || n_sessions == 0 || n_sessions > 100000 || min > max)
                fail("usage: torture --listen ADDR --to ADDR [--sessions N] [--min BYTES] "
                     "[--max BYTES] [--seed N] [--silence-ms N] [--urgent]");

        raise_limits();
        draw_sessions(min, max);
        listen_fd = target_listen(&listen, 4096);
        side_init(&server, true, urgent, listen_fd);
        side_init(&client, false, urgent, -EBADF);
        start_us = now_us();
        side_connect(&client, &to);
        if (pthread_create(&threads[0], NULL, side_run, &server) ||
            pthread_create(&threads[1], NULL, side_run, &client))
                fail("cannot start threads");
        worst_us = watch();
        atomic_store(&stop, true);
        pthread_join(threads[0], NULL);
        pthread_join(threads[1], NULL);
        r = report(worst_us, now_us() - start_us, &client, &server);
        side_done(&client);
        side_done(&server);
        close(listen_fd);
        free(sessions);
        return r;
}
