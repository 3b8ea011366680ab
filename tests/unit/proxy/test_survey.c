/* SPDX-License-Identifier: MIT */
#include "stage.h"

#include <unistd.h>

#include "core/clock.h"
#include "proxy/survey.h"

struct seen { /* what came back, and a copy of what is compared */
        unsigned n_answers;
        uint64_t n_matched, n_looked;
        size_t n;
        uint64_t ids[2 * SESSIONS], keys[2 * SESSIONS];
        bool is_sound;
};

static void on_answer(const struct survey *answer, void *arg) {
        struct seen *seen = arg;

        seen->n_answers++;
        seen->n_matched = answer->n_matched;
        seen->n_looked = answer->n_looked;
        seen->n = answer->n_records;
        seen->is_sound = true;
        for (size_t i = 0; i < answer->n_records; i++) {
                const struct survey_record *r = &answer->records[i];

                seen->ids[i] = r->id;
                seen->keys[i] = r->key;
                seen->is_sound &= r->endpoint == &r->pool->endpoints[0] &&
                                  r->phase == SESSION_RELAY && !r->client.known &&
                                  r->server.known && strcmp(r->frontend->config->name, "f") == 0;
        }
}

static struct seen ask(struct stage *s, struct survey_query q) {
        uint64_t until = clock_mono_ms() + PATIENCE;
        struct seen seen = { 0 };

        assert_int_equal(crew_survey(s->crew, &q, on_answer, &seen), 0);
        assert_null(q.pool);
        while (seen.n_answers == 0 && clock_mono_ms() < until)
                turn(s, 50);
        assert_int_equal(seen.n_answers, 1);
        return seen;
}

/* Both workers' sessions, the foremost first, each once. */
static void test_sorts(void **state) {
        struct stage s;

        (void)state;
        stage_init(&s, false);
        stage_open(&s, SESSIONS);
        for (enum survey_sort sort = 0; sort < SURVEY_SORTS_COUNT; sort++) {
                struct seen all = ask(&s, (struct survey_query){ .sort = sort, .limit = 1000 });
                struct seen few = ask(&s, (struct survey_query){ .sort = sort, .limit = 7 });

                assert_int_equal(all.n, SESSIONS);
                assert_int_equal(all.n_matched, SESSIONS);
                assert_true(all.is_sound);
                for (size_t i = 1; i < all.n; i++)
                        assert_true(all.keys[i - 1] >= all.keys[i]);
                for (size_t i = 0; i < all.n; i++)
                        for (size_t j = 0; j < i; j++)
                                assert_int_not_equal(all.ids[i], all.ids[j]);
                assert_int_equal(few.n, 7);
                assert_int_equal(few.n_matched, SESSIONS);
                assert_true(few.keys[0] >= few.keys[6]);
        }
        stage_done(&s);
}

/* More than one slice, and the oldest are the oldest. */
static void test_slices(void **state) {
        struct stage s;
        struct seen seen;

        (void)state;
        stage_init(&s, false);
        for (unsigned i = 0; i < 3; i++) {
                usleep(40000);
                stage_open(&s, 40);
        }
        seen = ask(&s, (struct survey_query){ .sort = SURVEY_AGE, .limit = 40 });
        assert_int_equal(seen.n, 40);
        assert_true(seen.keys[39] >= 80); /* none of the younger ones */
        seen = ask(&s, (struct survey_query){ .limit = 1000, .min_age_ms = seen.keys[39] });
        assert_in_range(seen.n, 40, 80);
        stage_done(&s);
}

static void test_filters(void **state) {
        struct stage s;
        struct seen seen;

        (void)state;
        stage_init(&s, false);
        stage_open(&s, 10);
        seen = ask(&s, (struct survey_query){ .limit = 100, .pool = strdup("p") });
        assert_int_equal(seen.n, 10);
        seen = ask(&s, (struct survey_query){ .limit = 100, .pool = strdup("q") });
        assert_int_equal(seen.n, 0);
        assert_int_equal(seen.n_looked, 10);
        seen = ask(&s, (struct survey_query){ .limit = 100,
                                              .frontend = strdup("f"),
                                              .backend = strdup(endpoint(&s)->name) });
        assert_int_equal(seen.n, 10);
        seen = ask(&s, (struct survey_query){ .limit = 100, .backend = strdup("x:1") });
        assert_int_equal(seen.n, 0);
        seen = ask(&s, (struct survey_query){ .limit = 100, .client = strdup("unix:") });
        assert_int_equal(seen.n, 10);
        seen = ask(&s, (struct survey_query){ .limit = 100, .client = strdup("127.0.0.1") });
        assert_int_equal(seen.n, 0);
        seen = ask(&s, (struct survey_query){ .limit = 100, .min_idle_ms = 3600000 });
        assert_int_equal(seen.n, 0);
        stage_done(&s);
}

/* One by its id, then the rest. */
static void test_close(void **state) {
        struct stage s;
        struct seen seen;
        uint64_t victim;

        (void)state;
        stage_init(&s, false);
        stage_open(&s, SESSIONS);
        victim = ask(&s, (struct survey_query){ .limit = 1000 }).ids[SESSIONS / 2];
        seen = ask(&s, (struct survey_query){ .limit = 1, .id = victim, .close = true });
        assert_int_equal(seen.n_matched, 1);
        assert_int_equal(seen.n, 0);
        wait_for_sessions(&s, SESSIONS - 1);
        seen = ask(&s, (struct survey_query){ .limit = 1000, .id = victim });
        assert_int_equal(seen.n_matched, 0);

        seen = ask(&s, (struct survey_query){ .limit = 1, .pool = strdup("p"), .close = true });
        assert_int_equal(seen.n_matched, SESSIONS - 1);
        wait_for_sessions(&s, 0);
        assert_int_equal(sum(&s).closed[CLOSE_ADMIN], SESSIONS);
        stage_done(&s);
}

/* The crew ends while it is asked. */
static void test_in_the_end(void **state) {
        struct survey_query q = { .limit = 1000, .pool = strdup("p") };
        struct seen seen = { 0 };
        struct stage s;

        (void)state;
        stage_init(&s, false);
        stage_open(&s, SESSIONS);
        assert_int_equal(crew_survey(s.crew, &q, on_answer, &seen), 0);
        stage_done(&s);
        assert_int_equal(seen.n_answers, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sorts),      cmocka_unit_test(test_slices),
                cmocka_unit_test(test_filters),    cmocka_unit_test(test_close),
                cmocka_unit_test(test_in_the_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
