/* SPDX-License-Identifier: MIT */

#include "options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/parse.h"
#include "core/str.h"

#define INTERVAL_LEAST_MS 200
#define INTERVAL_MOST_MS  60000

typedef int (*option_fn)(struct options *o, const char *value);

struct option_row {
        const char *name;
        char letter;       /* or 0 */
        const char *value; /* NULL: takes none */
        const char *help;
        option_fn set;
};

static int set_socket(struct options *o, const char *value) {
        o->socket = value;
        return 0;
}

static int set_filter(struct options *o, const char *value) {
        o->filter = value;
        return 0;
}

static int set_admin(struct options *o, const char *value) {
        (void)value;
        o->admin = true;
        return 0;
}

static int set_mouse(struct options *o, const char *value) {
        (void)value;
        o->mouse = true;
        return 0;
}

static int set_once(struct options *o, const char *value) {
        (void)value;
        o->output = OUTPUT_ONCE;
        return 0;
}

static int set_batch(struct options *o, const char *value) {
        (void)value;
        o->output = OUTPUT_BATCH;
        return 0;
}

static int set_json(struct options *o, const char *value) {
        (void)value;
        o->output = OUTPUT_JSON;
        return 0;
}

static int set_stat(struct options *o, const char *value) {
        (void)value;
        o->output = OUTPUT_STAT;
        return 0;
}

static int set_plain(struct options *o, const char *value) {
        (void)value;
        o->output = OUTPUT_PLAIN;
        return 0;
}

static int set_help(struct options *o, const char *value) {
        (void)value;
        o->help = true;
        return 0;
}

static int set_version(struct options *o, const char *value) {
        (void)value;
        o->version = true;
        return 0;
}

static int set_count(struct options *o, const char *value) {
        return parse_u64(&o->count, value) < 0 || o->count == 0 ? -EINVAL : 0;
}

static int set_interval(struct options *o, const char *value) {
        char *end;
        double s = strtod(value, &end);

        if (end == value || (*end && strcmp(end, "s") != 0) || !isfinite(s))
                return -EINVAL;
        if (s * 1000 < INTERVAL_LEAST_MS || s * 1000 > INTERVAL_MOST_MS)
                return -EINVAL;
        o->interval_ms = (uint64_t)(s * 1000 + 0.5);
        return 0;
}

static int set_color(struct options *o, const char *value) {
        static const char *const words[] = { "auto", "always", "never" };

        for (size_t i = 0; i < ELEMENTS(words); i++) {
                if (strcmp(words[i], value) == 0) {
                        o->color = (enum args_color)i;
                        return 0;
                }
        }
        return -EINVAL;
}

static int set_chars(struct options *o, const char *value) {
        static const char *const words[] = {
#define X(id, word) word,
                CHARS(X)
#undef X
        };

        for (size_t i = 0; i < ELEMENTS(words); i++) {
                if (strcmp(words[i], value) == 0) {
                        o->chars = (enum chars)i;
                        return 0;
                }
        }
        return -EINVAL;
}

/* clang-format off */
static const struct option_row rows[] = {
        { "socket",   0,   "PATH", "the daemon's status.sock", set_socket },
        { "interval", 'd', "S",    "seconds between two pictures, 0.2 to 60 (1)", set_interval },
        { "filter",   0,   "TEXT", "show what fits, as / does", set_filter },
        { "admin",    0,   NULL,   "actions are allowed from the start", set_admin },
        { "mouse",    0,   NULL,   "wheel and clicks", set_mouse },
        { "once",     0,   NULL,   "print the table once", set_once },
        { "batch",    'b', NULL,   "print the table every interval", set_batch },
        { "count",    'n', "N",    "so many times, then end", set_count },
        { "json",     0,   NULL,   "print one JSON document a line", set_json },
        { "stat",     0,   NULL,   "print one line of numbers every interval", set_stat },
        { "plain",    0,   NULL,   "print what changes as sentences, for screen readers", set_plain },
        { "color",    0,   "WHEN", "auto, always or never", set_color },
        { "chars",    0,   "SET",  "history in auto, ascii, block or braille", set_chars },
        { "help",     'h', NULL,   "this", set_help },
        { "version",  'V', NULL,   "the version", set_version },
};
/* clang-format on */

void options_help(FILE *to) {
        fputs("Usage: bal-top [OPTION...]\n"
              "The live view of bal: every backend, worst first. ? lists its keys, q quits.\n\n",
              to);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char name[32];

                snprintf(name, sizeof(name), "--%s%s%s", rows[i].name, rows[i].value ? "=" : "",
                         rows[i].value ? rows[i].value : "");
                fprintf(to, "  %c%c%c %-16s %s\n", rows[i].letter ? '-' : ' ',
                        rows[i].letter ? rows[i].letter : ' ', rows[i].letter ? ',' : ' ', name,
                        rows[i].help);
        }
}

static char *unknown(const char *name) {
        const char *names[ELEMENTS(rows) + 1] = { NULL }, *meant;

        for (size_t i = 0; i < ELEMENTS(rows); i++)
                names[i] = rows[i].name;
        meant = str_closest(name, names);
        return meant ? str_printf("unknown option '--%s'; did you mean '--%s'?", name, meant)
                     : str_printf("unknown option '--%s'", name);
}

static const struct option_row *find(const char *name, size_t n, char letter) {
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                if (name ? strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0
                         : rows[i].letter && rows[i].letter == letter)
                        return &rows[i];
        }
        return NULL;
}

struct words {
        char **argv;
        int argc, next;
};

static int set(struct options *o,
               const struct option_row *row,
               const char *value,
               struct words *w,
               char **ret_problem) {
        if (!row->value && value) {
                *ret_problem = str_printf("--%s takes no value", row->name);
                return -EINVAL;
        }
        if (row->value && !value && w->next < w->argc)
                value = w->argv[w->next++];
        if (row->value && !value) {
                *ret_problem = str_printf("--%s needs a value: %s", row->name, row->help);
                return -EINVAL;
        }
        if (row->set(o, value) == 0)
                return 0;
        *ret_problem = str_printf("--%s: wrong value '%s': %s", row->name, value, row->help);
        return -EINVAL;
}

static int parse_long(struct options *o, const char *word, struct words *w, char **ret_problem) {
        size_t n = strcspn(word, "=");
        const struct option_row *row = find(word, n, 0);
        _cleanup_(str_freep) char *name = NULL;

        if (row)
                return set(o, row, word[n] ? word + n + 1 : NULL, w, ret_problem);
        name = strndup(word, n);
        *ret_problem = name ? unknown(name) : NULL;
        return -EINVAL;
}

static int parse_letters(struct options *o, const char *word, struct words *w, char **ret_problem) {
        for (; *word; word++) {
                const struct option_row *row = find(NULL, 0, *word);
                bool rest = row && row->value && word[1];
                int r;

                if (!row) {
                        *ret_problem = str_printf("unknown option '-%c'", *word);
                        return -EINVAL;
                }
                r = set(o, row, rest ? word + 1 : NULL, w, ret_problem);
                if (r < 0 || rest)
                        return r;
        }
        return 0;
}

int options_parse(struct options *ret, int argc, char **argv, char **ret_problem) {
        struct words w = { .argv = argv, .argc = argc, .next = 1 };
        struct options o = { .interval_ms = 1000 };
        const char *a11y = getenv("BAL_A11Y");
        int r = 0;

        *ret_problem = NULL;
        if (a11y && strcmp(a11y, "text") == 0)
                o.output = OUTPUT_PLAIN;
        while (w.next < argc && r == 0) {
                const char *word = argv[w.next++];

                if (strncmp(word, "--", 2) == 0 && word[2])
                        r = parse_long(&o, word + 2, &w, ret_problem);
                else if (*word == '-' && word[1] && word[1] != '-')
                        r = parse_letters(&o, word + 1, &w, ret_problem);
                else {
                        *ret_problem = str_printf("bal-top takes no '%s'", word);
                        r = -EINVAL;
                }
        }
        if (r < 0)
                return r;
        if (o.count > 0 && o.output == OUTPUT_SCREEN)
                o.output = OUTPUT_BATCH;
        *ret = o;
        return 0;
}
