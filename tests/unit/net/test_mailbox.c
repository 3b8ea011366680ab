/* SPDX-License-Identifier: MIT */
#include "net/mailbox.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"

#define THREADS 4
#define LETTERS 20000 /* of each thread */

struct letter {
        struct mail mail;
        unsigned from, n;
};

struct box { /* the owner */
        struct mailbox *mailbox;
        unsigned next[THREADS], n, n_wrong;
};

static void on_letter(struct mail *m, void *owner) {
        struct letter *l = container_of(m, struct letter, mail);
        struct box *box = owner;

        if (l->n != box->next[l->from])
                box->n_wrong++;
        box->next[l->from] = l->n + 1;
        box->n++;
        free(l);
}

static void post(struct mailbox *mb, unsigned from, unsigned n) {
        struct letter *l = malloc(sizeof(*l));

        if (!l)
                abort();
        *l = (struct letter){ .mail.fn = on_letter, .from = from, .n = n };
        link_init(&l->mail.link);
        mailbox_post(mb, &l->mail);
}

static bool is_readable(const struct mailbox *mb) {
        struct pollfd p = { .fd = mailbox_fd(mb), .events = POLLIN };

        return poll(&p, 1, 0) == 1;
}

static void test_by_descriptor(void **state) {
        struct box box = { 0 };

        (void)state;
        assert_int_equal(mailbox_new(&box.mailbox, &box), 0);
        assert_false(is_readable(box.mailbox));
        for (unsigned i = 0; i < 3; i++)
                post(box.mailbox, 0, i);
        assert_true(is_readable(box.mailbox));
        assert_int_equal(box.n, 0);
        mailbox_run(box.mailbox);
        assert_int_equal(box.n, 3);
        assert_int_equal(box.n_wrong, 0);
        assert_false(is_readable(box.mailbox));
        mailbox_run(box.mailbox); /* nothing there */
        assert_int_equal(box.n, 3);
        mailbox_free(box.mailbox);
}

static void on_answer(struct mail *m, void *owner) {
        struct box *box = owner;
        struct letter *l = container_of(m, struct letter, mail);

        box->n++;
        if (l->n-- > 0)
                mailbox_post(box->mailbox, m); /* handed back, to be read in the next run */
        else
                free(l);
}

/* Who posts from within is read later, so that no run is without end. */
static void test_post_inside(void **state) {
        struct letter *l = malloc(sizeof(*l));
        struct box box = { 0 };

        (void)state;
        assert_non_null(l);
        *l = (struct letter){ .mail.fn = on_answer, .n = 2 };
        link_init(&l->mail.link);
        assert_int_equal(mailbox_new(&box.mailbox, &box), 0);
        mailbox_post(box.mailbox, &l->mail);
        for (unsigned i = 1; i <= 3; i++) {
                assert_true(is_readable(box.mailbox));
                mailbox_run(box.mailbox);
                assert_int_equal(box.n, i);
        }
        assert_false(is_readable(box.mailbox));
        mailbox_free(box.mailbox);
}

struct poster {
        struct mailbox *to;
        unsigned name;
};

static void *poster_main(void *arg) {
        const struct poster *p = arg;

        for (unsigned i = 0; i < LETTERS; i++)
                post(p->to, p->name, i);
        return NULL;
}

/* All arrive, those of each poster in order. wait() ends the test when a wake-up was lost. */
static void many_threads(struct box *box, void (*wait)(struct box *box)) {
        struct poster posters[THREADS];
        pthread_t threads[THREADS];

        for (unsigned i = 0; i < THREADS; i++) {
                posters[i] = (struct poster){ box->mailbox, i };
                assert_int_equal(pthread_create(&threads[i], NULL, poster_main, &posters[i]), 0);
        }
        while (box->n < THREADS * LETTERS)
                wait(box);
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(box->n, THREADS * LETTERS);
        assert_int_equal(box->n_wrong, 0);
}

static void wait_by_descriptor(struct box *box) {
        struct pollfd p = { .fd = mailbox_fd(box->mailbox), .events = POLLIN };

        assert_int_equal(poll(&p, 1, 10000), 1);
        mailbox_run(box->mailbox);
}

static void test_many_threads(void **state) {
        struct box box = { 0 };

        (void)state;
        assert_int_equal(mailbox_new(&box.mailbox, &box), 0);
        many_threads(&box, wait_by_descriptor);
        mailbox_free(box.mailbox);
}

static struct loop *loop;

static void on_too_late(struct timer *t) {
        (void)t;
        fail_msg("no letter for ten seconds");
}

static void wait_by_loop(struct box *box) {
        struct timer patience;

        (void)box;
        timer_init(&patience, on_too_late);
        timer_set(loop, &patience, clock_mono_ms() + 10000);
        assert_int_equal(loop_turn(loop), 0);
        wheel_cancel(&patience);
}

static void test_many_threads_by_loop(void **state) {
        struct box box = { 0 };

        (void)state;
        assert_int_equal(loop_new(&loop), 0);
        assert_int_equal(mailbox_new(&box.mailbox, &box), 0);
        assert_int_equal(mailbox_attach(box.mailbox, loop), 0);
        many_threads(&box, wait_by_loop);
        mailbox_detach(box.mailbox);
        mailbox_detach(box.mailbox); /* idempotent */

        post(box.mailbox, 0, LETTERS); /* detached, it is still a box */
        mailbox_run(box.mailbox);
        assert_int_equal(box.n, THREADS * LETTERS + 1);
        mailbox_free(box.mailbox);
        loop_free(loop);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_by_descriptor),
                cmocka_unit_test(test_post_inside),
                cmocka_unit_test(test_many_threads),
                cmocka_unit_test(test_many_threads_by_loop),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
