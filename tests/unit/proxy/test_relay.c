/* SPDX-License-Identifier: MIT */
/*
 * Real sockets, a real loop, and around them peers of every temper, each with two threads of its
 * own. All bytes arrive, in order; nothing is silent for four seconds; what is lent is what holds
 * bytes. The rest looks at one thing each, above all at edges that must not be lost.
 */
#include "proxy/relay.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/hash.h"
#include "net/sock.h"
#include "proxy/stock.h"

#define SILENCE_MS 4000
#define SESSIONS   4
#define ROUNDS     8

/* ---- pairs of sockets ---- */

static void set_small(int fd, int bytes) {
        if (bytes == 0)
                return;
        assert_return_code(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), errno);
        assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), errno);
}

/* fd[0] is the peer's end and blocks, fd[1] the relay's. small: the size of socket buffers, or
 * 0. */
static void socket_pair(int fd[static 2], int family, int small) {
        _cleanup_(fd_closep) int listener = -EBADF;
        struct timeval limit = { .tv_sec = 2 * SILENCE_MS / 1000 };
        struct addr a = { 0 };

        if (family == AF_UNIX) {
                assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), errno);
                set_small(fd[0], small);
                set_small(fd[1], small);
        } else {
                assert_int_equal(addr_parse(&a, "127.0.0.1:1"), 0);
                addr_set_port(&a, 0);
                assert_int_equal(sock_listen(&listener, &a, 4), 0);
                set_small(listener, small);
                assert_return_code(getsockname(listener, &a.sa, &a.len), errno);
                fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_return_code(fd[0], errno);
                set_small(fd[0], small);
                assert_return_code(connect(fd[0], &a.sa, a.len), errno);
                fd[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                assert_return_code(fd[1], errno);
                assert_return_code(
                        setsockopt(fd[0], IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)),
                        errno);
        }
        for (int i = 0; i < 2; i++)
                assert_return_code(
                        setsockopt(fd[i], SOL_SOCKET, SO_OOBINLINE, &(int){ 1 }, sizeof(int)),
                        errno);
        assert_return_code(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)),
                           errno);
        assert_return_code(setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)),
                           errno);
        assert_return_code(fcntl(fd[1], F_SETFL, O_NONBLOCK), errno);
}

/* ---- peers ---- */

struct temper { /* of one peer */
        size_t to_send;
        unsigned max_chunk_bits; /* chunks of 1 .. 2^bits bytes */
        unsigned max_pause_us;   /* between two reads, now and then */
        unsigned stall_ms;       /* twice in its life it does not read for so long */
        bool urgent;             /* some bytes are */
        bool listens_first;      /* sends nothing before it has read EOF */
};

struct peer {
        struct temper temper;
        int fd;
        uint64_t seed;
        pthread_t reader, writer;
        uint64_t sent, sent_hash, received, received_hash;
        bool got_eof;
};

static uint64_t next_random(uint64_t *seed) {
        return hash_mix(*seed += UINT64_C(0x9e3779b97f4a7c15));
}

static uint64_t hash_more(uint64_t hash, const unsigned char *bytes, size_t n) {
        for (size_t i = 0; i < n; i++)
                hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
        return hash;
}

static void *peer_read(void *arg) {
        static _Thread_local unsigned char buf[1 << 17];
        struct peer *p = arg;
        uint64_t seed = ~p->seed, stall_at = p->temper.stall_ms ? 50000 : UINT64_MAX;

        for (;;) {
                uint64_t r = next_random(&seed);
                ssize_t n;

                if (p->temper.max_pause_us && r % 16 == 0)
                        usleep((useconds_t)(r >> 32) % p->temper.max_pause_us);
                if (p->received >= stall_at) {
                        usleep(p->temper.stall_ms * 1000);
                        stall_at = stall_at == 50000 ? 700000 : UINT64_MAX;
                }

                n = recv(p->fd, buf, 1 + (r >> 8) % (UINT64_C(1) << (r >> 4) % 18), 0);
                if (n <= 0) {
                        p->got_eof = n == 0;
                        return NULL;
                }
                p->received_hash = hash_more(p->received_hash, buf, (size_t)n);
                p->received += (uint64_t)n;
        }
}

static void *peer_write(void *arg) {
        static _Thread_local unsigned char buf[1 << 21];
        struct peer *p = arg;
        uint64_t seed = p->seed;

        if (p->temper.listens_first)
                pthread_join(p->reader, NULL);
        while (p->sent < p->temper.to_send) {
                uint64_t r = next_random(&seed);
                unsigned bits = (unsigned)((r >> 8) % (p->temper.max_chunk_bits + 1));
                size_t room = p->temper.to_send - p->sent;
                size_t want = 1 + (r >> 16) % ((size_t)1 << bits);
                ssize_t n;

                want = want < room ? want : room;
                for (size_t i = 0; i < want; i++)
                        buf[i] = (unsigned char)((r >> i % 57) + i);
                n = send(p->fd, buf, want,
                         MSG_NOSIGNAL | (p->temper.urgent && r % 8 == 0 ? MSG_OOB : 0));
                if (n < 0)
                        return NULL;
                p->sent_hash = hash_more(p->sent_hash, buf, (size_t)n);
                p->sent += (uint64_t)n;
                if (r % 64 == 1)
                        usleep(500);
        }
        shutdown(p->fd, SHUT_WR);
        return NULL;
}

static void peer_start(struct peer *p, const struct temper *temper, int fd, uint64_t seed) {
        *p = (struct peer){ .temper = *temper, .fd = fd, .seed = seed };
        assert_int_equal(pthread_create(&p->reader, NULL, peer_read, p), 0);
        assert_int_equal(pthread_create(&p->writer, NULL, peer_write, p), 0);
}

static void peer_end(struct peer *p) {
        if (!p->temper.listens_first)
                pthread_join(p->reader, NULL);
        pthread_join(p->writer, NULL);
        close(p->fd);
}

/* ---- the relay between them ---- */

struct rig {
        struct loop *loop;
        struct stock stock;
        struct timer silence;
        unsigned n_open;
        bool silent, gone;
        unsigned spins; /* callbacks in a row that moved nothing */
        struct session {
                struct rig *rig;
                struct end {
                        struct side side;
                        struct session *session;
                } end[2];
                struct lane lane[2]; /* lane[0] goes from end[0] to end[1] */
                struct peer peer[2];
                bool open, done[2];
        } session[SESSIONS];
};

static void session_end(struct session *s) {
        for (int i = 0; i < 2; i++) {
                lane_drop(&s->lane[i], &s->rig->stock);
                io_detach(&s->end[i].side.io);
                s->end[i].side.fd = fd_close(s->end[i].side.fd);
        }
        s->open = false;
        s->rig->n_open--;
}

static void on_ready(struct io *io) {
        struct side *side = container_of(io, struct side, io);
        struct session *s = container_of(side, struct end, side)->session;
        uint64_t before = s->lane[0].bytes + s->lane[1].bytes;
        bool finished = false;

        /* a reset is noticed once; what it means the lanes find out */
        if (io->ready & EPOLLERR)
                io_unwant(io, EPOLLERR);
        for (int i = 0; i < 2; i++) {
                enum relay_result result;

                if (s->done[i])
                        continue;
                result = relay_run(&s->lane[i], &s->rig->stock, ROUNDS);
                if (result == RELAY_FINISHED)
                        finished = s->done[i] = true;
                else if (result != RELAY_WAIT)
                        s->rig->gone = true;
        }

        if (finished || s->lane[0].bytes + s->lane[1].bytes > before) {
                timer_set(s->rig->loop, &s->rig->silence, loop_now_ms(s->rig->loop) + SILENCE_MS);
                s->rig->spins = 0;
        } else {
                s->rig->spins++;
        }
        if (s->rig->gone || (s->done[0] && s->done[1]))
                session_end(s);
}

static void on_silence(struct timer *t) {
        container_of(t, struct rig, silence)->silent = true;
}

/* Lent is what holds, and nothing else. */
static void check_lent(const struct rig *rig) {
        unsigned buffers = 0, pipes = 0;

        for (unsigned i = 0; i < SESSIONS; i++)
                for (int j = 0; rig->session[i].open && j < 2; j++) {
                        const struct lane *lane = &rig->session[i].lane[j];

                        assert_int_equal(lane->buffer || lane->pipe, lane->held > 0);
                        assert_false(lane->buffer && lane->pipe);
                        buffers += lane->buffer != NULL;
                        pipes += lane->pipe != NULL;
                }
        assert_int_equal(rig->stock.buffers.n_lent, buffers);
        assert_int_equal(rig->stock.pipes.n_lent, pipes);
}

static struct rig *rig_new(unsigned max_buffers, unsigned max_pipes) {
        struct rig *rig = calloc(1, sizeof(*rig));

        assert_non_null(rig);
        assert_int_equal(loop_new(&rig->loop), 0);
        stock_init(&rig->stock, max_buffers, max_pipes);
        timer_init(&rig->silence, on_silence);
        return rig;
}

static void rig_free(struct rig *rig) {
        wheel_cancel(&rig->silence);
        stock_done(&rig->stock);
        loop_free(rig->loop);
        free(rig);
}

static int domain_of(int fd) {
        socklen_t len = sizeof(int);
        int domain;

        assert_return_code(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len), errno);
        return domain;
}

static struct session *session_new(struct rig *rig, unsigned i, int fd0, int fd1) {
        struct session *s = &rig->session[i];
        int fd[2] = { fd0, fd1 };

        *s = (struct session){ .rig = rig, .open = true };
        for (int j = 0; j < 2; j++) {
                struct side *side = &s->end[j].side;

                s->end[j].session = s;
                side->fd = fd[j];
                side->is_unix = domain_of(fd[j]) == AF_UNIX;
                assert_int_equal(io_attach(&side->io, rig->loop, fd[j], on_ready), 0);
                io_want(&side->io, EPOLLIN | EPOLLERR);
        }
        for (int j = 0; j < 2; j++)
                s->lane[j] = (struct lane){ .from = &s->end[j].side,
                                            .to = &s->end[!j].side,
                                            .left = UINT64_MAX };
        rig->n_open++;
        return s;
}

struct scene {
        const char *what;
        int family[2];
        int small;
        unsigned max_buffers, max_pipes;
        struct temper temper[2];
};

static void rig_end_peers(struct rig *rig, const struct scene *scene, uint64_t seed) {
        for (unsigned i = 0; i < SESSIONS; i++) {
                struct session *s = &rig->session[i];

                if (s->open)
                        session_end(s); /* so that the peers' threads end */
                peer_end(&s->peer[0]);
                peer_end(&s->peer[1]);
        }
        if (rig->silent || rig->gone || rig->spins >= 1000)
                fail_msg("%s, seed %llu: %s", scene->what, (unsigned long long)seed,
                         rig->silent ? "silence"
                         : rig->gone ? "a side is gone"
                                     : "spins");
        for (unsigned i = 0; i < SESSIONS; i++)
                for (int j = 0; j < 2; j++) {
                        const struct session *s = &rig->session[i];

                        assert_true(s->peer[j].got_eof);
                        assert_int_equal(s->peer[j].sent, scene->temper[j].to_send);
                        assert_int_equal(s->lane[j].bytes, s->peer[j].sent);
                        assert_int_equal(s->peer[!j].received, s->peer[j].sent);
                        assert_int_equal(s->peer[!j].received_hash, s->peer[j].sent_hash);
                }
}

static void play(const struct scene *scene, uint64_t seed) {
        struct rig *rig = rig_new(scene->max_buffers, scene->max_pipes);

        for (unsigned i = 0; i < SESSIONS; i++) {
                int fd[2][2];

                for (int j = 0; j < 2; j++)
                        socket_pair(fd[j], scene->family[j], scene->small);
                session_new(rig, i, fd[0][1], fd[1][1]);
                for (int j = 0; j < 2; j++)
                        peer_start(&rig->session[i].peer[j], &scene->temper[j], fd[j][0],
                                   hash_mix(seed * 100 + i * 2 + (unsigned)j));
        }
        timer_set(rig->loop, &rig->silence, loop_now_ms(rig->loop) + SILENCE_MS);
        while (rig->n_open > 0 && !rig->silent && !rig->gone && rig->spins < 1000) {
                assert_int_equal(loop_turn(rig->loop), 0);
                check_lent(rig);
        }
        rig_end_peers(rig, scene, seed);
        rig_free(rig);
}

#define MIB   ((size_t)1024 * 1024)
#define EVERY (2 * SESSIONS) /* buffers: one for each lane */
#define QUICK                                                                                      \
        { .to_send = 2 * MIB, .max_chunk_bits = 20 }
#define CHATTY                                                                                     \
        { .to_send = 20000, .max_chunk_bits = 6 }
#define SLOW                                                                                       \
        { .to_send = MIB, .max_chunk_bits = 17, .max_pause_us = 1500 }
#define STALLING                                                                                   \
        { .to_send = MIB, .max_chunk_bits = 20, .stall_ms = 300 }
#define URGENT                                                                                     \
        { .to_send = MIB / 2, .max_chunk_bits = 14, .urgent = true }
#define ANSWERS                                                                                    \
        { .to_send = MIB, .max_chunk_bits = 20, .listens_first = true }
#define NOTHING                                                                                    \
        { .to_send = 0 }

/* clang-format off */
static const struct scene scenes[] = {
        { "both quick",            { AF_INET, AF_INET }, 0,    EVERY, EVERY, { QUICK, QUICK } },
        { "small buffers",         { AF_INET, AF_INET }, 4096, EVERY, EVERY, { QUICK, QUICK } },
        { "single bytes",          { AF_INET, AF_INET }, 4096, EVERY, EVERY, { CHATTY, CHATTY } },
        { "chatty against quick",  { AF_INET, AF_INET }, 0,    EVERY, EVERY, { CHATTY, QUICK } },
        { "slow readers",          { AF_INET, AF_INET }, 0,    EVERY, EVERY, { SLOW, SLOW } },
        { "one stalls",            { AF_INET, AF_INET }, 8192, EVERY, EVERY, { QUICK, STALLING } },
        { "both stall",            { AF_INET, AF_INET }, 0,    EVERY, EVERY,
          { STALLING, STALLING } },
        { "urgent bytes",          { AF_INET, AF_INET }, 0,    EVERY, EVERY, { URGENT, URGENT } },
        { "urgent, slow",          { AF_INET, AF_INET }, 4096, EVERY, EVERY, { URGENT, SLOW } },
        { "client's FIN first",    { AF_INET, AF_INET }, 0,    EVERY, EVERY, { QUICK, ANSWERS } },
        { "server's FIN first",    { AF_INET, AF_INET }, 8192, EVERY, EVERY, { ANSWERS, SLOW } },
        { "one sends nothing",     { AF_INET, AF_INET }, 0,    EVERY, EVERY, { NOTHING, QUICK } },
        { "nobody sends",          { AF_INET, AF_INET }, 0,    EVERY, EVERY, { NOTHING, NOTHING } },
        { "to a Unix socket",      { AF_INET, AF_UNIX }, 0,    EVERY, EVERY, { QUICK, QUICK } },
        { "Unix, small, stalls",   { AF_INET, AF_UNIX }, 4096, EVERY, EVERY, { STALLING, SLOW } },
        { "Unix, answers",         { AF_INET, AF_UNIX }, 0,    EVERY, EVERY, { CHATTY, ANSWERS } },
        { "Unix on both sides",    { AF_UNIX, AF_UNIX }, 0,    EVERY, EVERY, { SLOW, QUICK } },
        { "no pipes",              { AF_INET, AF_INET }, 0,    EVERY, 0,     { QUICK, STALLING } },
        { "no pipes, urgent",      { AF_INET, AF_INET }, 4096, EVERY, 0,     { URGENT, URGENT } },
        { "one pipe for all",      { AF_INET, AF_INET }, 0,    EVERY, 1,     { QUICK, QUICK } },
};
/* clang-format on */

static void play_timed(const struct scene *scene, uint64_t seed) {
        uint64_t start_ms = clock_mono_ms();

        play(scene, seed);
        print_message("%-22s %4llu ms\n", scene->what,
                      (unsigned long long)(clock_mono_ms() - start_ms));
}

static void test_scenes(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(scenes); i++)
                for (uint64_t seed = 1; seed <= 2; seed++)
                        play_timed(&scenes[i], seed);
}

/* Any two tempers, any families, any size of buffers. */
static void test_random_scenes(void **state) {
        static const struct temper tempers[] = { QUICK, CHATTY, SLOW, STALLING, URGENT, NOTHING };

        (void)state;
        for (uint64_t seed = 1; seed <= 15; seed++) {
                uint64_t random = seed;
                struct scene scene = {
                        .what = "random",
                        .family = { next_random(&random) % 3 ? AF_INET : AF_UNIX,
                                    next_random(&random) % 3 ? AF_INET : AF_UNIX },
                        .small =
                                next_random(&random) & 1 ? 0 : 1 << (12 + next_random(&random) % 5),
                        .max_buffers = EVERY,
                        .max_pipes = (unsigned)(next_random(&random) % (EVERY + 1)),
                };

                for (int j = 0; j < 2; j++)
                        scene.temper[j] = tempers[next_random(&random) % ELEMENTS(tempers)];
                if (next_random(&random) % 3 == 0)
                        scene.temper[next_random(&random) & 1].listens_first = true;
                print_message("%2llu ", (unsigned long long)seed);
                play_timed(&scene, seed);
        }
}

/* ---- one thing at a time ---- */

/* One session whose outer ends the test holds: outer[0] -> end[0] -> end[1] -> outer[1]. */
static struct session *quiet(struct rig **ret, int outer[static 2], int family, int small) {
        int fd[2][2];

        *ret = rig_new(2, 2);
        for (int j = 0; j < 2; j++) {
                socket_pair(fd[j], family, small);
                outer[j] = fd[j][0];
        }
        return session_new(*ret, 0, fd[0][1], fd[1][1]);
}

static void quiet_end(struct rig *rig, const int outer[static 2]) {
        if (rig->session[0].open)
                session_end(&rig->session[0]);
        close(outer[0]);
        close(outer[1]);
        rig_free(rig);
}

static void on_tick(struct timer *t) {
        (void)t;
}

/* Turns for that long, whatever happens or does not. */
static void turn_for(struct rig *rig, unsigned ms) {
        uint64_t end_ms = clock_mono_ms() + ms;
        struct timer tick;

        timer_init(&tick, on_tick);
        while (clock_mono_ms() < end_ms) {
                timer_set(rig->loop, &tick, end_ms);
                assert_int_equal(loop_turn(rig->loop), 0);
                assert_true(rig->spins < 1000);
        }
        wheel_cancel(&tick);
}

static size_t drain(struct rig *rig, int fd, size_t want) {
        static char buf[1 << 16];
        size_t got = 0;

        for (unsigned tries = 0; got < want && tries < 400; tries++) {
                ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

                if (n == 0)
                        break;
                if (n > 0)
                        got += (size_t)n;
                else
                        turn_for(rig, 5);
        }
        return got;
}

static void await_unread(int fd, int want) {
        int n = 0;

        for (int i = 0; i < 1000 && n < want; i++) {
                usleep(1000);
                assert_return_code(ioctl(fd, FIONREAD, &n), errno);
        }
        assert_int_equal(n, want);
}

/* A pipe of few slots, which the stock will lend first. */
static void stock_small_pipe(struct stock *stock) {
        struct pipe *p;
        int fd[2];

        assert_return_code(pipe2(fd, O_NONBLOCK | O_CLOEXEC), errno);
        assert_return_code(fcntl(fd[1], F_SETPIPE_SZ, 4 * 4096), errno);
        p = stock_adopt_pipe(stock, fd);
        assert_non_null(p);
        stock_put_pipe(stock, p);
}

/* The lost edge. Single bytes, each a segment, more than the pipe has slots, and the receiver
 * stands still. EAGAIN from splice() with bytes in the pipe says nothing of the socket; a relay
 * that takes it for "spent" has no edge to wait for any more and hangs here. All bytes must be in
 * before the relay looks: one that comes later brings the edge that saves it. */
static void test_lost_edge(void **state) {
        static const char filling[1 << 16];
        int outer[2], to;
        struct rig *rig;
        struct session *s = quiet(&rig, outer, AF_INET, 0);
        size_t filled = 0;
        ssize_t n;

        (void)state;
        to = s->end[1].side.fd;
        set_small(to, 4096);
        set_small(outer[1], 4096);
        while ((n = send(to, filling, sizeof(filling), MSG_NOSIGNAL)) > 0)
                filled += (size_t)n;
        for (unsigned i = 0; i < 50; i++)
                assert_int_equal(send(outer[0], "x", 1, MSG_NOSIGNAL), 1);
        await_unread(s->end[0].side.fd, 50);

        stock_small_pipe(&rig->stock);
        s->lane[0].bulk = true;
        turn_for(rig, 20);
        if (s->lane[0].held == 50 || !s->lane[0].pipe)
                print_message("50 single bytes all fit into a pipe of 4 slots here\n");
        check_lent(rig);

        assert_int_equal(drain(rig, outer[1], filled + 50), filled + 50);
        shutdown(outer[0], SHUT_WR);
        turn_for(rig, 20);
        assert_int_equal(recv(outer[1], &(char){ 0 }, 1, MSG_DONTWAIT), 0);
        check_lent(rig);
        quiet_end(rig, outer);
}

/* Bytes and FIN at once bring one edge; both arrive, copied and spliced, TCP and Unix. */
static void test_bytes_and_fin(void **state) {
        (void)state;
        for (int i = 0; i < 4; i++) {
                int outer[2];
                struct rig *rig;
                struct session *s = quiet(&rig, outer, i & 1 ? AF_INET : AF_UNIX, 0);

                s->lane[0].bulk = i & 2;
                assert_int_equal(send(outer[0], "hello", 5, 0), 5);
                shutdown(outer[0], SHUT_WR);
                turn_for(rig, 20);
                assert_true(s->done[0]);
                assert_false(s->done[1]);
                assert_int_equal(drain(rig, outer[1], 6), 5);

                /* half-closed: the other direction lives */
                assert_int_equal(send(outer[1], "and you", 7, 0), 7);
                turn_for(rig, 20);
                assert_int_equal(drain(rig, outer[0], 7), 7);
                shutdown(outer[1], SHUT_WR);
                turn_for(rig, 20);
                assert_false(s->open);
                assert_false(rig->gone);
                quiet_end(rig, outer);
        }
}

/* The FIN that was in with the bytes is not asked for: while the receiver takes nothing, the
 * sender's end is known. */
static void test_fin_is_known(void **state) {
        int outer[2];
        struct rig *rig;
        struct session *s = quiet(&rig, outer, AF_INET, 0);
        struct io *to = &s->end[1].side.io;

        (void)state;
        assert_int_equal(send(outer[0], "hello", 5, 0), 5);
        shutdown(outer[0], SHUT_WR);
        await_unread(s->end[0].side.fd, 5);
        to->registered |= EPOLLOUT; /* so that the kernel is not asked */
        io_spent(to, EPOLLOUT);
        turn_for(rig, 20);
        assert_int_equal(s->lane[0].held, 5);
        assert_true(s->end[0].side.eof);

        to->ready |= EPOLLOUT;
        io_want(to, 0);
        turn_for(rig, 20);
        assert_int_equal(drain(rig, outer[1], 6), 5);
        assert_true(s->done[0]);
        quiet_end(rig, outer);
}

/* Nagle is switched off by the second write, and only where it was left on. */
static void test_no_delay(void **state) {
        int outer[2], to, value = 0;
        struct rig *rig;
        struct session *s = quiet(&rig, outer, AF_INET, 0);

        (void)state;
        to = s->end[1].side.fd;
        s->end[1].side.delays = true;
        assert_return_code(setsockopt(to, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)), errno);
        for (int i = 0; i < 3; i++) {
                socklen_t len = sizeof(value);

                assert_int_equal(send(outer[0], "x", 1, 0), 1);
                turn_for(rig, 20);
                assert_int_equal(drain(rig, outer[1], 1), 1);
                assert_return_code(getsockopt(to, IPPROTO_TCP, TCP_NODELAY, &value, &len), errno);
                assert_int_equal(value, i > 0);
        }
        quiet_end(rig, outer);
}

/* An urgent byte with everything around it, the FIN behind it in time or not: nothing is lost and
 * nothing taken for EOF. With much before it a lane in bulk meets the mark while it splices. */
static void check_urgent_mark(bool fin, bool bulk, bool late, size_t before) {
        static const char bytes[20000];
        int outer[2];
        struct rig *rig;
        struct session *s = quiet(&rig, outer, AF_INET, 0);

        s->lane[0].bulk = bulk;
        assert_int_equal(send(outer[0], bytes, before, 0), before);
        assert_int_equal(send(outer[0], "X", 1, MSG_OOB), 1);
        if (late)
                turn_for(rig, 10);
        assert_int_equal(send(outer[0], "def", 3, 0), 3);
        if (fin)
                shutdown(outer[0], SHUT_WR);
        turn_for(rig, 10);
        assert_int_equal(drain(rig, outer[1], before + 4), before + 4);
        turn_for(rig, 10);
        assert_int_equal(s->done[0], fin);
        quiet_end(rig, outer);
}

static void test_urgent_mark(void **state) {
        (void)state;
        for (int i = 0; i < 16; i++)
                check_urgent_mark(i & 1, i & 2, i & 4, i & 8 ? 20000 : 3);
}

/* A Unix peer can pass descriptors along, and then reads stop early without any mark. Who takes the
 * short read for "empty" waits for ever. (The kernel closes the descriptor.) */
static void test_unix_descriptors(void **state) {
        union {
                struct cmsghdr head;
                char room[CMSG_SPACE(sizeof(int))];
        } control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
                                .cmsg_level = SOL_SOCKET,
                                .cmsg_type = SCM_RIGHTS } };
        struct iovec iov = { .iov_base = (char[]){ "abc" }, .iov_len = 3 };
        struct msghdr msg = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof(control) };
        int outer[2];
        struct rig *rig;

        (void)state;
        quiet(&rig, outer, AF_UNIX, 0);
        memcpy(CMSG_DATA(&control.head), &outer[0], sizeof(int));
        assert_int_equal(sendmsg(outer[0], &msg, 0), 3);
        assert_int_equal(send(outer[0], "def", 3, 0), 3);
        turn_for(rig, 50);
        assert_int_equal(drain(rig, outer[1], 6), 6);
        quiet_end(rig, outer);
}

/* A message of known length: exactly that many bytes, and what follows stays for the next one. */
static void check_bounded(size_t length, size_t sent, bool bulk) {
        static char bytes[1 << 18];
        int outer[2];
        struct rig *rig;
        struct session *s = quiet(&rig, outer, AF_INET, 0);

        s->lane[0].left = length;
        s->lane[0].bulk = bulk;
        for (size_t n = 0; n < sent;) {
                ssize_t put = send(outer[0], bytes, sent - n, MSG_DONTWAIT);

                n += put > 0 ? (size_t)put : 0;
                turn_for(rig, 2);
        }
        assert_int_equal(drain(rig, outer[1], length), length);
        assert_true(s->done[0]);
        assert_int_equal(s->lane[0].bytes, length);
        assert_int_equal(s->lane[0].left, 0);
        assert_false(s->end[0].side.eof);
        assert_false(s->end[1].side.shut); /* the connection stays */
        assert_int_equal(recv(outer[1], bytes, 1, MSG_DONTWAIT), -1);

        s->done[0] = false;
        s->lane[0].left = UINT64_MAX;
        shutdown(outer[0], SHUT_WR);
        io_want(&s->end[0].side.io, EPOLLIN);
        assert_int_equal(drain(rig, outer[1], sent - length), sent - length);
        turn_for(rig, 20);
        assert_true(s->done[0] && s->end[1].side.shut);
        quiet_end(rig, outer);
}

static void test_bounded(void **state) {
        (void)state;
        for (int bulk = 0; bulk < 2; bulk++) {
                check_bounded(1, 5, bulk);
                check_bounded(5, 5, bulk);
                check_bounded(10, 15, bulk);
                check_bounded(STOCK_BUFFER_SIZE, STOCK_BUFFER_SIZE + 1, bulk);
                check_bounded(100000, 200000, bulk);
                check_bounded(0, 3, bulk);
        }
}

static void test_cut(void **state) {
        (void)state;
        for (int bulk = 0; bulk < 2; bulk++) {
                int outer[2];
                struct rig *rig;
                struct session *s = quiet(&rig, outer, AF_INET, 0);
                enum relay_result result = RELAY_WAIT;

                s->lane[0].left = 10;
                s->lane[0].bulk = bulk;
                io_unwant(&s->end[0].side.io, UINT32_MAX); /* the test calls relay_run() itself */
                assert_int_equal(send(outer[0], "hello", 5, 0), 5);
                shutdown(outer[0], SHUT_WR);
                for (int i = 0; i < 100 && result == RELAY_WAIT; i++) {
                        turn_for(rig, 1);
                        result = relay_run(&s->lane[0], &rig->stock, ROUNDS);
                }
                assert_int_equal(result, RELAY_CUT);
                assert_int_equal(s->lane[0].left, 5);
                assert_false(s->end[1].side.shut);
                assert_int_equal(drain(rig, outer[1], 5),
                                 5); /* what was there has been passed on */
                assert_int_equal(recv(outer[1], &(char){ 0 }, 1, MSG_DONTWAIT), -1); /* no FIN */
                check_lent(rig);
                quiet_end(rig, outer);
        }
}

/* Nothing is lost when there is no buffer: with one, it goes on. */
static void test_no_room(void **state) {
        int outer[2];
        struct rig *rig;
        struct session *s = quiet(&rig, outer, AF_INET, 0);
        enum relay_result result = RELAY_WAIT;

        (void)state;
        rig->stock.buffers.max = 0;
        rig->stock.pipes.max = 0;
        io_unwant(&s->end[0].side.io, UINT32_MAX);
        assert_int_equal(send(outer[0], "hello", 5, 0), 5);
        for (int i = 0; i < 100 && result == RELAY_WAIT; i++) {
                turn_for(rig, 1);
                result = relay_run(&s->lane[0], &rig->stock, ROUNDS);
        }
        assert_int_equal(result, RELAY_NO_ROOM);
        check_lent(rig);

        rig->stock.buffers.max = 1;
        assert_int_equal(relay_run(&s->lane[0], &rig->stock, ROUNDS), RELAY_WAIT);
        assert_int_equal(drain(rig, outer[1], 5), 5);
        quiet_end(rig, outer);
}

/* A reset on either side, with bytes held in a buffer or in a pipe; all that was lent comes
 * back. */
static void test_reset(void **state) {
        static const char bytes[1 << 18];

        (void)state;
        for (int i = 0; i < 4; i++) {
                struct linger reset = { .l_onoff = 1 };
                int which = i & 1, outer[2];
                struct rig *rig;
                struct session *s = quiet(&rig, outer, AF_INET, 4096);

                fcntl(outer[0], F_SETFL, O_NONBLOCK);
                s->lane[0].bulk = i & 2;
                for (int n = 0; n < 100; n++) {
                        if (send(outer[0], bytes, sizeof(bytes), MSG_NOSIGNAL) < 0)
                                turn_for(rig, 1);
                }
                assert_true(s->lane[0].held > 0);
                check_lent(rig);
                setsockopt(outer[which], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
                outer[which] = fd_close(outer[which]);
                for (int n = 0; n < 100 && s->open; n++) {
                        turn_for(rig, 5);
                        if (which == 0) /* it is only seen once the rest has been written */
                                drain(rig, outer[1], 1 << 16);
                }
                assert_true(rig->gone);
                assert_false(s->open);
                check_lent(rig);
                quiet_end(rig, outer);
        }
}

/* Fairness: a sender who never pauses is read max_rounds times and no more. */
static void test_rounds(void **state) {
        static const char bytes[1 << 18];
        int outer[2];
        struct rig *rig;
        struct session *s = quiet(&rig, outer, AF_INET, 0);

        (void)state;
        rig->stock.pipes.max = 0;
        io_unwant(&s->end[0].side.io, UINT32_MAX);
        assert_int_equal(send(outer[0], bytes, sizeof(bytes), 0), sizeof(bytes));
        turn_for(rig, 20);
        assert_int_equal(relay_run(&s->lane[0], &rig->stock, 0), RELAY_WAIT);
        assert_int_equal(s->lane[0].bytes, 0);
        assert_int_equal(relay_run(&s->lane[0], &rig->stock, 1), RELAY_WAIT);
        assert_in_range(s->lane[0].bytes, 1, STOCK_BUFFER_SIZE);
        assert_true(s->end[0].side.io.wanted & EPOLLIN); /* and goes on in the next turn */
        assert_int_equal(drain(rig, outer[1], sizeof(bytes)), sizeof(bytes));
        quiet_end(rig, outer);
}

/* Bytes of our own go first; more than a buffer does not fit, and then nothing is taken. */
static void test_put(void **state) {
        static const char big[STOCK_HEADROOM + STOCK_BUFFER_SIZE];
        int outer[2];
        struct rig *rig;
        struct session *s = quiet(&rig, outer, AF_INET, 0);
        char buf[32];

        (void)state;
        assert_int_equal(lane_put(&s->lane[0], &rig->stock, "one ", 4), 0);
        assert_int_equal(lane_put(&s->lane[0], &rig->stock, "two ", 4), 0);
        assert_int_equal(lane_put(&s->lane[0], &rig->stock, big, sizeof(big)), -ENOBUFS);
        assert_int_equal(s->lane[0].held, 8);
        assert_int_equal(send(outer[0], "three", 5, 0), 5);
        turn_for(rig, 20);
        assert_int_equal(recv(outer[1], buf, sizeof(buf), 0), 13);
        assert_memory_equal(buf, "one two three", 13);
        assert_int_equal(s->lane[0].bytes, 13);
        check_lent(rig);

        rig->stock.buffers.max = 0;
        rig->stock.buffers.keep = 0;
        while (rig->stock.buffers.n_idle > 0)
                stock_put_buffer(&rig->stock, stock_take_buffer(&rig->stock)); /* freed */
        assert_int_equal(lane_put(&s->lane[1], &rig->stock, "x", 1), -ENOBUFS);
        assert_int_equal(s->lane[1].held, 0);
        quiet_end(rig, outer);
}

static void test_drop(void **state) {
        struct stock stock;
        struct side from = { 0 }, to = { 0 };
        struct lane lane = { .from = &from, .to = &to, .left = UINT64_MAX };

        (void)state;
        stock_init(&stock, 1, 1);
        lane_drop(&lane, &stock); /* holds nothing */
        assert_int_equal(lane_put(&lane, &stock, "x", 1), 0);
        lane_drop(&lane, &stock);
        assert_int_equal(stock.buffers.n_lent, 0);

        lane.pipe = stock_take_pipe(&stock);
        assert_non_null(lane.pipe);
        assert_int_equal(write(lane.pipe->fd[1], "x", 1), 1);
        lane.held = 1;
        lane_drop(&lane, &stock);
        assert_int_equal(stock.pipes.n_lent + stock.pipes.n_idle, 0); /* not lent to the next one */
        stock_done(&stock);
}

static int setup(void **state) {
        (void)state;
        signal(SIGPIPE, SIG_IGN); /* as the daemon does: splice() has no MSG_NOSIGNAL */
        return 0;
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lost_edge),     cmocka_unit_test(test_bytes_and_fin),
                cmocka_unit_test(test_fin_is_known),  cmocka_unit_test(test_no_delay),
                cmocka_unit_test(test_urgent_mark),   cmocka_unit_test(test_unix_descriptors),
                cmocka_unit_test(test_bounded),       cmocka_unit_test(test_cut),
                cmocka_unit_test(test_no_room),       cmocka_unit_test(test_reset),
                cmocka_unit_test(test_rounds),        cmocka_unit_test(test_put),
                cmocka_unit_test(test_drop),          cmocka_unit_test(test_scenes),
                cmocka_unit_test(test_random_scenes),
        };

        return cmocka_run_group_tests(tests, setup, NULL);
}
