/* SPDX-License-Identifier: MIT */
/*
 * Every file of tests/config: a broken one yields exactly the list of "line:column: code" beside it,
 * a good one has the values, endpoints and warnings beside it. test_corpus FOLDER
 */

#include <dirent.h>

#include "rig.h"

static const char *folder;

struct lines { /* of an .expect file, and which of them came true */
        char *text;
        char *line[512];
        bool met[512];
        size_t n;
};

static char *slurp(const char *path) {
        FILE *f = fopen(path, "r");
        char *text = calloc(1, 65536);

        if (!f)
                fail_msg("%s is missing", path);
        assert_true(text && fread(text, 1, 65535, f) < 65535);
        fclose(f);
        return text;
}

static void lines_read(struct lines *l, const char *path) {
        char *save = NULL;

        *l = (struct lines){ .text = slurp(path) };
        for (char *s = strtok_r(l->text, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
                assert_true(l->n < ELEMENTS(l->line));
                l->line[l->n++] = s;
        }
}

/* A branch and a plain store: gcc 12.2 at -O1 drops calls of a function that does |= instead. It
 * merges the counters of the two arrays and loses sight of the store. */
static void lines_meet(struct lines *l, const char *s) {
        for (size_t i = 0; i < l->n; i++)
                if (strcmp(l->line[i], s) == 0)
                        l->met[i] = true;
}

static int is_yaml(const struct dirent *e) {
        const char *dot = strrchr(e->d_name, '.');

        return dot && strcmp(dot, ".yaml") == 0;
}

/* Calls fn with the path of each .yaml and of its .expect; returns how many there were. */
static int each_file(const char *kind, void (*fn)(const char *yaml, const char *expect)) {
        char dir[2048], yaml[4096], expect[4096];
        struct dirent **names;
        int n;

        snprintf(dir, sizeof(dir), "%s/%s", folder, kind);
        n = scandir(dir, &names, is_yaml, alphasort);
        assert_true(n > 0);
        for (int i = 0; i < n; i++) {
                snprintf(yaml, sizeof(yaml), "%s/%s", dir, names[i]->d_name);
                snprintf(expect, sizeof(expect), "%s/%.*s.expect", dir,
                         (int)(strlen(names[i]->d_name) - strlen(".yaml")), names[i]->d_name);
                fn(yaml, expect);
                free(names[i]);
        }
        free(names);
        return n;
}

/* What every problem owes its reader, whatever it is about. */
static void check_problem(const struct diag *p, const char *yaml) {
        size_t n = p->source[2] ? strlen(p->source[2]) : 0;

        assert_string_equal(p->at.file, yaml);
        assert_true(*p->message && *p->brief && *p->do_this_now && p->path);
        assert_true(strlen(p->message) < 1000 && strlen(p->brief) < 1000);
        assert_null(strstr(p->message, "(null)"));
        assert_null(strstr(p->do_this_now, "(null)"));
        assert_true((p->at.line == 0) == (p->at.column == 0));
        assert_true(p->at.end_column == 0 || p->at.end_column > p->at.column);
        assert_true(p->at.line == 0 || p->at.column > 240 || p->source[2]);
        assert_true(p->at.line == 0 || p->at.column > 240 || p->at.column <= n + 1);
        assert_int_equal(p->level == DIAG_ERROR, diag_info(p->code)->name[0] == 'E');
        for (const char *s = p->message; *s; s++)
                assert_true((unsigned char)*s >= 0x20);
}

static void check_broken(const char *yaml, const char *expect) {
        char got[8192] = "";
        size_t n = 0;
        struct config *c = NULL;
        struct diags d;
        char *wanted = slurp(expect);

        diags_init(&d);
        assert_int_equal(config_load(&c, yaml, &d), -EINVAL);
        assert_null(c);
        list_for_each(l, &d.list) {
                const struct diag *p = container_of(l, struct diag, link);

                check_problem(p, yaml);
                n += (size_t)snprintf(got + n, sizeof(got) - n, "%u:%u: %s\n", p->at.line,
                                      p->at.column, diag_info(p->code)->name);
        }
        if (d.n_suppressed > 0)
                snprintf(got + n, sizeof(got) - n, "suppressed: %u\n", d.n_suppressed);
        if (strcmp(got, wanted) != 0)
                fail_msg("%s\nwanted:\n%sgot:\n%s", yaml, wanted, got);
        diags_done(&d);
        free(wanted);
}

static void test_broken(void **state) {
        (void)state;
        assert_true(each_file("broken", check_broken) >= 150);
}

static void meet_value(const struct config_value *v, void *userdata) {
        char line[8192];

        snprintf(line, sizeof(line), "%s = %s (%s)", v->path, v->value, v->source);
        lines_meet(userdata, line);
}

static void meet_model(struct lines *l, const struct config *c) {
        char line[8192];

        for (size_t i = 0; i < c->n_pools; i++) {
                for (size_t k = 0; k < c->pools[i].n_endpoints; k++) {
                        snprintf(line, sizeof(line), "endpoint %s %s", c->pools[i].name,
                                 c->pools[i].endpoints[k].name);
                        lines_meet(l, line);
                }
        }
}

static void check_good(const char *yaml, const char *expect) {
        struct config *c = NULL;
        struct diags d;
        struct lines lines;
        unsigned warnings = 0;
        char line[64];

        lines_read(&lines, expect);
        diags_init(&d);
        if (config_load(&c, yaml, &d) < 0)
                fail_msg("%s: %s", yaml, nth(&d, 0)->message);
        list_for_each(l, &d.list) {
                const struct diag *p = container_of(l, struct diag, link);

                check_problem(p, yaml);
                snprintf(line, sizeof(line), "warning %u:%u: %s", p->at.line, p->at.column,
                         diag_info(p->code)->name);
                lines_meet(&lines, line);
        }
        config_values(c, meet_value, &lines);
        meet_model(&lines, c);

        for (size_t i = 0; i < lines.n; i++) {
                warnings += strncmp(lines.line[i], "warning ", strlen("warning ")) == 0;
                if (!lines.met[i])
                        fail_msg("%s: not so: %s", yaml, lines.line[i]);
        }
        assert_int_equal(d.n_warnings, warnings);
        assert_string_equal(c->path, yaml);
        free(lines.text);
        config_unref(c);
        diags_done(&d);
}

static void test_good(void **state) {
        (void)state;
        assert_true(each_file("good", check_good) >= 10);
}

int main(int argc, char *argv[]) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_broken),
                cmocka_unit_test(test_good),
        };

        if (argc != 2)
                return 2;
        folder = argv[1];
        return cmocka_run_group_tests(tests, NULL, NULL);
}
