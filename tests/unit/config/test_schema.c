/* SPDX-License-Identifier: MIT */
/*
 * The table against itself and against what is written about it: test_schema MANUAL SAMPLE...
 * where MANUAL is bal-config.5 and the samples are files that have to load; config.advanced.yaml
 * holds every key of the full dialect.
 */

#include "rig.h"

#include "balance/balance.h"
#include "config/keys.h"
#include "config/schema.h"
#include "config/value.h"
#include "http/answer.h"

static const char *manual;
static char **samples;

static char *slurp(const char *path) {
        FILE *f = fopen(path, "r");
        char *text = calloc(1, 1 << 20);

        if (!f || !text)
                fail_msg("%s is missing", path);
        assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
        fclose(f);
        return text;
}

static void check_row(const struct section *s, const struct field *f) {
        struct value v;

        assert_true(strlen(f->help) > 0);
        assert_true(f->offset + sizeof(struct value) <= s->size);
        assert_false(f->dflt && f->tuning);
        assert_true((f->type == FIELD_CHOICE) == (f->choices != NULL));
        assert_true((f->type == FIELD_SECTION || f->type == FIELD_LIST) == (f->section != NULL));
        if (f->dflt && value_parse(&v, f, f->dflt) != VERDICT_OK)
                fail_msg("%s: its default %s is none", f->name, f->dflt);
        if (f->tuning) {
                assert_in_range(f->tuning->present, f->min, f->max);
                assert_in_range(f->tuning->small, f->min, f->max);
                assert_in_range(f->tuning->medium, f->min, f->max);
                assert_in_range(f->tuning->large, f->min, f->max);
        }
        if (strcmp(f->name, "max_body_bytes") == 0) /* the only number of 64 bits */
                assert_true(f->type == FIELD_SIZE && f->max > UINT32_MAX);
        else if (f->type == FIELD_INT || f->type == FIELD_DURATION || f->type == FIELD_SIZE)
                assert_true(f->max > 0 && f->max <= UINT32_MAX);
}

static void check_section(const struct section *s) {
        assert_true(s->n_fields <= 64); /* bits of a mask in walk.c */
        for (size_t i = 0; i < s->n_fields; i++) {
                check_row(s, &s->fields[i]);
                for (size_t k = 0; k < i; k++) {
                        assert_string_not_equal(s->fields[i].name, s->fields[k].name);
                        assert_int_not_equal(s->fields[i].offset, s->fields[k].offset);
                }
                if (s->fields[i].section)
                        check_section(s->fields[i].section);
        }
}

static void test_rows(void **state) {
        (void)state;
        check_section(&schema_simple);
        check_section(&schema_full);
}

/* Nothing that the file may say is unknown to the balancers, and the other way round. */
static void test_methods(void **state) {
        const struct field *simple = section_find(&schema_simple, "method");
        const struct field *full =
                section_find(section_find(&schema_full, "frontends")->section, "algorithm");
        static const char *const names[] = {
#define X(name) #name,
                BALANCE_ALGORITHMS(X)
#undef X
        };
        size_t n = 0;

        (void)state;
        for (; simple->choices[n]; n++)
                assert_non_null(balance_find(simple->choices[n]));
        for (size_t i = 0; full->choices[i]; i++)
                assert_non_null(balance_find(full->choices[i]));
        for (size_t i = 0; i < ELEMENTS(names); i++)
                assert_non_null(balance_find(names[i]));
        assert_int_equal(n, ELEMENTS(names));
}

/* What a route and an error page may answer with is what bal can say. */
static void test_statuses(void **state) {
        static const int known[] = {
#define X(status, reason) status,
                HTTP_STATUSES(X)
#undef X
        };
        size_t n = 0, redirects = 0;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(known); i++) {
                if (known[i] / 100 == 3)
                        assert_int_equal(atoi(schema_redirects[redirects++]), known[i]);
                else
                        assert_int_equal(atoi(schema_statuses[n++]), known[i]);
        }
        assert_null(schema_statuses[n]);
        assert_null(schema_redirects[redirects]);
}

static const char *last_word(const char *path) {
        const char *dot = strrchr(path, '.');

        return dot ? dot + 1 : path;
}

/* In the manual each key is an item of its own: ".It Ic KEY". */
static void find_in_manual(const struct config_key *k, void *userdata) {
        char item[256], *at;

        snprintf(item, sizeof(item), ".It Ic %s", last_word(k->path));
        at = strstr(userdata, item);
        while (at && at[strlen(item)] != '\n' && at[strlen(item)] != ' ')
                at = strstr(at + 1, item);
        if (!at)
                fail_msg("%s is not in %s", k->path, manual);
}

static void test_manual(void **state) {
        char *text = slurp(manual);

        (void)state;
        config_keys(CONFIG_SIMPLE, find_in_manual, text);
        config_keys(CONFIG_FULL, find_in_manual, text);
        free(text);
}

struct wanted {
        char path[256];
        bool found;
};

/* "frontends[].tcp.idle_timeout" is in "frontends.web.tcp.idle_timeout". */
static bool path_fits(const char *key, const char *path) {
        while (*key && *path) {
                if (strncmp(key, "[]", 2) == 0) {
                        key += 2;
                        path += *path == '[' ? strcspn(path, "]") + 1 : 1 + strcspn(path + 1, ".");
                        continue;
                }
                if (*key != *path)
                        return false;
                key++;
                path++;
        }
        return !*key && (!*path || *path == '[' || *path == '.');
}

static void meet_value(const struct config_value *v, void *userdata) {
        struct wanted *w = userdata;

        if (strncmp(v->source, "line ", strlen("line ")) == 0)
                w->found |= path_fits(w->path, v->path);
}

static void find_in_samples(const struct config_key *k, void *userdata) {
        struct config **configs = userdata;
        struct wanted w = { .found = false };

        snprintf(w.path, sizeof(w.path), "%s", k->path);
        for (size_t i = 0; configs[i]; i++)
                config_values(configs[i], meet_value, &w);
        if (!w.found)
                fail_msg("config.advanced.yaml has no %s", k->path);
}

/* People begin with them: not even a warning. */
static struct config *load_sample(const char *path) {
        struct config *c;
        struct diags d;

        diags_init(&d);
        if (config_load(&c, path, &d) < 0)
                fail_msg("%s: %s", path, nth(&d, 0)->message);
        if (d.n_warnings > 0)
                fail_msg("%s: %s", path, nth(&d, 0)->message);
        diags_done(&d);
        return c;
}

static void test_samples(void **state) {
        struct config *configs[16] = { NULL };
        size_t n = 0;

        (void)state;
        for (; samples[n]; n++) {
                assert_true(n < ELEMENTS(configs) - 1);
                configs[n] = load_sample(samples[n]);
        }
        assert_int_equal(configs[0]->dialect, CONFIG_SIMPLE);
        for (size_t i = 0; i < n; i++) {
                struct config *alone[] = { configs[i], NULL };

                if (strstr(samples[i], "config.advanced.yaml"))
                        config_keys(CONFIG_FULL, find_in_samples, alone);
        }
        for (size_t i = 0; i < n; i++)
                config_unref(configs[i]);
}

/* Every example of `bal explain` that is a whole file has the code it explains, and the cure works.
 * "..." stands for something left out. */
static void test_examples(void **state) {
        (void)state;
        for (unsigned i = 0; i < DIAG_CODES; i++) {
                const struct diag_info *info = diag_info(i);
                struct config *c;
                struct diags d;
                bool found = false;
                int r;

                if (i == DIAG_W009 || i == DIAG_E048) /* of the surroundings, not of the file */
                        continue;
                if (strstr(info->wrong, "...") || strncmp(info->wrong, "bal ", 4) == 0 ||
                    strstr(info->wrong, "\\x"))
                        continue;
                load(&c, &d, info->wrong);
                list_for_each(l, &d.list)
                        found |= container_of(l, struct diag, link)->code == i;
                if (!found)
                        fail_msg("the wrong example of %s has other problems", info->name);
                diags_done(&d);
                config_unref(c);

                r = load(&c, &d, info->right);
                list_for_each(l, &d.list) {
                        const struct diag *p = container_of(l, struct diag, link);

                        /* pieces of a file lack their surroundings, that is all */
                        if (r < 0 && p->code != DIAG_E020 && p->code != DIAG_E014 &&
                            p->code != DIAG_E005)
                                fail_msg("the right example of %s has %s", info->name,
                                         diag_info(p->code)->name);
                        if (p->code == i)
                                fail_msg("the right example of %s has it too", info->name);
                }
                diags_done(&d);
                config_unref(c);
        }
}

static void test_keys_json(void **state) {
        json_t *list = config_keys_json(), *key;
        size_t i, later = 0, required = 0;

        (void)state;
        assert_non_null(list);
        assert_true(json_array_size(list) > 80);
        json_array_foreach(list, i, key) {
                const char *path = json_string_value(json_object_get(key, "path"));

                assert_non_null(path);
                assert_int_equal(json_object_size(key), 12);
                later += json_is_true(json_object_get(key, "later"));
                required += json_is_true(json_object_get(key, "required"));
                if (strcmp(path, "runtime.health_check_interval_ms") == 0) {
                        assert_string_equal(json_string_value(json_object_get(key, "tuned")),
                                            "200 | 500 | 700 | 1000");
                        assert_string_equal(json_string_value(json_object_get(key, "unit")), "ms");
                }
        }
        assert_int_equal(later, 0); /* nothing is accepted and not acted upon */
        assert_true(required > 0);
        json_decref(list);
}

int main(int argc, char *argv[]) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rows),     cmocka_unit_test(test_methods),
                cmocka_unit_test(test_manual),   cmocka_unit_test(test_samples),
                cmocka_unit_test(test_examples), cmocka_unit_test(test_keys_json),
                cmocka_unit_test(test_statuses),
        };

        if (argc < 3)
                return 2;
        manual = argv[1];
        samples = argv + 2;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
