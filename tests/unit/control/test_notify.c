/* SPDX-License-Identifier: MIT */
#include "control/notify.h"

#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "net/mailbox.h"
#include "proxy/crew.h"
#include "proxy/worker.h"

#define WATCHDOG_MS 300

/* A service manager's socket, a crew that does nothing, and what tells the one of the other. */
struct stage {
        int fd;
        sd_event *event;
        struct crew *crew;
        struct notify *notify;
        char said[512];
};

static int on_crew(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        (void)source, (void)fd, (void)events;
        crew_dispatch(userdata);
        return 0;
}

static void manager_open(struct stage *s) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        char name[64];
        int n = snprintf(name, sizeof(name), "@bal-test-notify-%d", getpid());

        memcpy(sa.sun_path + 1, name + 1, (size_t)n - 1);
        s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(s->fd >= 0);
        assert_int_equal(bind(s->fd, (struct sockaddr *)&sa,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)),
                         0);
        setenv("NOTIFY_SOCKET", name, 1);
}

static void stage_open(struct stage *s, const char *watchdog_us) {
        const struct crew_options o = { .n_workers = 3, .max_pipes = 1 };

        *s = (struct stage){ .fd = -EBADF };
        manager_open(s);
        if (watchdog_us)
                setenv("WATCHDOG_USEC", watchdog_us, 1);
        assert_int_equal(crew_new(&s->crew, &o), 0);
        assert_true(sd_event_new(&s->event) >= 0);
        assert_true(sd_event_add_io(s->event, NULL, crew_fd(s->crew), EPOLLIN, on_crew, s->crew) >=
                    0);
        assert_int_equal(notify_new(&s->notify, s->event, s->crew), 0);
        assert_non_null(s->notify);
}

static void stage_close(struct stage *s) {
        crew_free(s->crew); /* answers what is still asked */
        notify_free(s->notify);
        sd_event_unref(s->event);
        close(s->fd);
        unsetenv("NOTIFY_SOCKET");
        unsetenv("WATCHDOG_USEC");
        unsetenv("WATCHDOG_PID");
}

/* The next message, or "" if there is none. */
static const char *heard(struct stage *s) {
        ssize_t n = recv(s->fd, s->said, sizeof(s->said) - 1, 0);

        s->said[n > 0 ? n : 0] = '\0';
        return s->said;
}

/* How often the watchdog was fed in that time. */
static unsigned fed(struct stage *s, uint64_t ms) {
        uint64_t end_ms = clock_mono_ms() + ms;
        unsigned n = 0;

        while (clock_mono_ms() < end_ms) {
                assert_true(sd_event_run(s->event, 5000) >= 0);
                while (*heard(s))
                        n += strcmp(s->said, "WATCHDOG=1") == 0;
        }
        return n;
}

static void test_nobody_listens(void **state) {
        struct notify *n = (struct notify *)&state;

        (void)state;
        unsetenv("NOTIFY_SOCKET");
        assert_int_equal(notify_new(&n, NULL, NULL), 0);
        assert_null(n);
        notify_ready(n);
        notify_reloading(n);
        notify_reloaded(n, false);
        notify_tick(n, &(struct notify_facts){ .up = 1 });
        notify_stopping(n, 1000, true);
        assert_null(notify_free(n));
}

static void test_ready_and_reload(void **state) {
        struct timespec now;
        unsigned long long us;
        struct stage s;

        (void)state;
        stage_open(&s, NULL);
        assert_string_equal(heard(&s), "");
        notify_reloading(s.notify); /* a part of the start */
        notify_reloaded(s.notify, true);
        assert_string_equal(heard(&s), "");

        notify_ready(s.notify);
        assert_string_equal(heard(&s), "READY=1");
        notify_reloaded(s.notify, true); /* none has begun */
        assert_string_equal(heard(&s), "");

        clock_gettime(CLOCK_MONOTONIC, &now);
        notify_reloading(s.notify);
        assert_int_equal(sscanf(heard(&s), "RELOADING=1\nMONOTONIC_USEC=%llu", &us), 1);
        assert_in_range(us, (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000,
                        (clock_mono_ms() + 1) * 1000);
        notify_reloaded(s.notify, true);
        assert_string_equal(heard(&s), "READY=1");

        notify_stopping(s.notify, 1500, true);
        assert_non_null(strstr(heard(&s), "STOPPING=1\nEXTEND_TIMEOUT_USEC="));
        assert_non_null(strstr(s.said, "STATUS=restarting: sessions have 2 s to end"));
        notify_reloading(s.notify);
        assert_string_equal(heard(&s), "");
        stage_close(&s);
}

/* Once for each news, and not for each connection. */
static void test_status(void **state) {
        struct notify_facts f = { .up = 3, .backends = 4, .sessions = 120 };
        struct stage s;

        (void)state;
        stage_open(&s, NULL);
        notify_ready(s.notify);
        heard(&s);
        notify_tick(s.notify, &f);
        assert_string_equal(heard(&s), "STATUS=3/4 backends up, 120 connections, protection off");
        notify_tick(s.notify, &f);
        f.sessions = 121;
        notify_tick(s.notify, &f);
        assert_string_equal(heard(&s), "");
        f.up = 4;
        notify_tick(s.notify, &f);
        assert_string_equal(heard(&s), "STATUS=4/4 backends up, 121 connections, protection off");
        f.protected = 1;
        notify_tick(s.notify, &f);
        assert_non_null(strstr(heard(&s), "protection on in 1 pool"));

        notify_reloading(s.notify);
        notify_reloaded(s.notify, false);
        heard(&s);
        heard(&s);
        notify_tick(s.notify, &f);
        assert_non_null(strstr(heard(&s), "the last reload failed"));
        notify_tick(s.notify, &f);
        assert_string_equal(heard(&s), "");
        notify_reloading(s.notify);
        notify_reloaded(s.notify, true);
        heard(&s);
        heard(&s);
        notify_tick(s.notify, &f);
        assert_non_null(strstr(heard(&s), "STATUS=4/4"));
        assert_null(strstr(s.said, "failed"));

        notify_stopping(s.notify, 1000, false);
        heard(&s);
        notify_tick(s.notify, &f);
        assert_non_null(strstr(heard(&s), "STATUS=stopping: 4/4 backends up"));
        for (int i = 0; i < 3; i++) { /* each time, since each asks for a little only */
                assert_non_null(strstr(heard(&s), "EXTEND_TIMEOUT_USEC="));
                assert_string_equal(heard(&s), "");
                notify_tick(s.notify, &f);
        }
        stage_close(&s);
}

static void test_text(void **state) {
        static const struct {
                struct notify_facts facts;
                const char *text;
        } rows[] = {
                { { 0 }, "0/0 backends up, 0 connections, protection off" },
                { { .up = 1, .backends = 1, .sessions = 1 },
                  "1/1 backends up, 1 connection, protection off" },
                { { .backends = 2, .protected = 2 },
                  "0/2 backends up, 0 connections, protection on in 2 pools" },
                { { SIZE_MAX, SIZE_MAX, UINT32_MAX, SIZE_MAX },
                  "18446744073709551615/18446744073709551615 backends up, 4294967295 connections, "
                  "protection on in 18446744073709551615 pools" },
        };
        char buf[NOTIFY_TEXT_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                assert_string_equal(notify_text(&rows[i].facts, buf), rows[i].text);
}

struct stuck {
        struct mail mail;
        sem_t go, there;
};

static void on_stuck(struct mail *m, void *owner) {
        struct stuck *stuck = container_of(m, struct stuck, mail);

        (void)owner;
        sem_post(&stuck->there);
        sem_wait(&stuck->go);
}

static void test_watchdog(void **state) {
        struct stuck stuck = { .mail.fn = on_stuck };
        struct stage s;
        unsigned n;

        (void)state;
        stage_open(&s, "300000");
        assert_int_equal(fed(&s, WATCHDOG_MS), 0); /* not before it is ready */
        notify_ready(s.notify);
        n = fed(&s, 4 * WATCHDOG_MS);
        assert_in_range(n, 6, 13); /* three times in each period */

        link_init(&stuck.mail.link);
        sem_init(&stuck.go, 0, 0);
        sem_init(&stuck.there, 0, 0);
        mailbox_post(crew_worker(s.crew, 1)->mailbox, &stuck.mail);
        sem_wait(&stuck.there);
        fed(&s, 20); /* an answer may be on its way */
        assert_int_equal(fed(&s, 2 * WATCHDOG_MS), 0);
        sem_post(&stuck.go);
        assert_in_range(fed(&s, 2 * WATCHDOG_MS), 3, 8);
        stage_close(&s);
        sem_destroy(&stuck.go);
        sem_destroy(&stuck.there);
}

/* It is another process that is watched. */
static void test_watchdog_of_another(void **state) {
        struct stage s;

        (void)state;
        setenv("WATCHDOG_PID", "1", 1);
        stage_open(&s, "30000");
        notify_ready(s.notify);
        assert_int_equal(fed(&s, 200), 0);
        stage_close(&s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nobody_listens), cmocka_unit_test(test_ready_and_reload),
                cmocka_unit_test(test_status),         cmocka_unit_test(test_text),
                cmocka_unit_test(test_watchdog),       cmocka_unit_test(test_watchdog_of_another),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
