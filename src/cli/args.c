/* SPDX-License-Identifier: MIT */

#include "cli/args.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verb.h"
#include "core/log.h"
#include "core/parse.h"
#include "core/str.h"

const struct option_info options[OPTIONS_COUNT] = {
#define X(id, name_, letter_, value_, common_, help_)                                              \
        [OPTION_##id] = { .name = (name_),                                                         \
                          .letter = (letter_),                                                     \
                          .value = (value_),                                                       \
                          .common = (common_),                                                     \
                          .help = (help_) },
        OPTIONS(X)
#undef X
};

struct parser {
        struct args *args;
        char **argv;
        int argc, next; /* argv[next] is the next word */
        size_t n_words; /* in args->words */
        char *problem;  /* owned; the first one ends the parsing */
};

/* For "return problem(...)": the texts are made by str_printf(). */
static int problem(struct parser *p, char *text) {
        p->problem = text;
        return text ? -EINVAL : -ENOMEM;
}

static int set_color(struct parser *p, const char *value) {
        static const char *const words[] = { "auto", "always", "never", NULL };
        const char *meant;

        for (int i = 0; words[i]; i++) {
                if (strcmp(value, words[i]) == 0) {
                        p->args->color = (enum args_color)i;
                        return 0;
                }
        }
        meant = str_closest(value, words);
        if (meant)
                return problem(
                        p, str_printf("--color: unknown '%s'; did you mean '%s'?", value, meant));
        return problem(p, str_printf("--color: unknown '%s'; use auto, always or never", value));
}

static int set_log_level(struct parser *p, const char *value) {
        const char *words[LOG_LEVELS_COUNT + 1] = { NULL };
        const char *meant;
        int level = log_level_find(value);

        if (level >= 0) {
                p->args->log_level = level;
                return 0;
        }
        for (int i = 0; i < LOG_LEVELS_COUNT; i++)
                words[i] = log_level_key((enum log_level)i);
        meant = str_closest(value, words);
        if (meant)
                return problem(p, str_printf("--log-level: unknown '%s'; did you mean '%s'?", value,
                                             meant));
        return problem(
                p, str_printf("--log-level: unknown '%s'; use error, warn, info, debug or trace",
                              value));
}

/* One of words, which end with NULL; what is taken are the words themselves. */
static int set_word(struct parser *p,
                    const char **ret,
                    enum option id,
                    const char *value,
                    const char *const *words) {
        const char *name = options[id].name, *meant;

        for (size_t i = 0; words[i]; i++) {
                if (strcmp(value, words[i]) == 0) {
                        *ret = words[i];
                        return 0;
                }
        }
        meant = str_closest(value, words);
        if (meant)
                return problem(p, str_printf("--%s: unknown '%s'; did you mean '%s'?", name, value,
                                             meant));
        if (id == OPTION_EVENT)
                return problem(p, str_printf("--event: unknown '%s'; all there are: man 7 bal-logs",
                                             value));
        return problem(p, str_printf("--%s: unknown '%s'; use %s", name, value, options[id].help));
}

static int set_sort(struct parser *p, const char *value) {
        static const char *const words[] = { "age", "idle", "bytes", "rtt", "retransmits", NULL };

        return set_word(p, &p->args->sort, OPTION_SORT, value, words);
}

static int set_level(struct parser *p, const char *value) {
        static const char *const words[] = { "error", "warn", "info", NULL };

        return set_word(p, &p->args->level, OPTION_LEVEL, value, words);
}

static int set_event(struct parser *p, const char *value) {
        const char *words[LOG_EVENTS_COUNT + 1] = { NULL };

        for (int i = 0; i < LOG_EVENTS_COUNT; i++)
                words[i] = log_event_word((enum log_event)i);
        return set_word(p, &p->args->event, OPTION_EVENT, value, words);
}

static int set_limit(struct parser *p, const char *value) {
        uint64_t n;

        if (parse_u64(&n, value) < 0 || n > INT64_MAX)
                return problem(p, str_printf("--limit: '%s' is not a number", value));
        p->args->limit = (int64_t)n;
        return 0;
}

static int set_wait(struct parser *p, const char *value) {
        uint64_t ms;

        if (parse_duration_ms(&ms, value) < 0)
                return problem(
                        p, str_printf("--wait: '%s' is not a duration; write 10s or 1m30s", value));
        if (ms < 1 || ms > ARGS_WAIT_MAX_MS)
                return problem(p, str_printf("--wait: '%s' is not between 1ms and 1h", value));
        p->args->wait_ms = (int)ms;
        return 0;
}

/* "2", "0.5", "500ms": seconds as top and watch take them, or a duration. */
static int set_watch(struct parser *p, const char *value) {
        char *end;
        double seconds = strtod(value, &end);
        uint64_t ms;

        if (parse_duration_ms(&ms, value) < 0) {
                if (*end || !(value[0] >= '0' && value[0] <= '9') || !isfinite(seconds))
                        return problem(p, str_printf("--watch: '%s' is not a number of seconds; "
                                                     "write 2, 0.5 or 500ms",
                                                     value));
                ms = seconds < ARGS_WATCH_MAX_MS ? (uint64_t)(seconds * 1000) : UINT64_MAX;
        }
        if (ms < ARGS_WATCH_MIN_MS || ms > ARGS_WATCH_MAX_MS)
                return problem(
                        p, str_printf("--watch: '%s' is not between 0.1 and 3600 seconds", value));
        p->args->watch_ms = (int)ms;
        return 0;
}

static int set_deadline(struct parser *p, const char *value) {
        uint64_t ms;

        if (parse_duration_ms(&ms, value) < 0)
                return problem(
                        p, str_printf("--deadline: '%s' is not a duration; write 10m or 1h30m, or "
                                      "0s for none",
                                      value));
        if (ms > ARGS_DEADLINE_MAX_MS)
                return problem(p, str_printf("--deadline: '%s' is more than a week (168h)", value));
        p->args->deadline_ms = (int64_t)ms;
        return 0;
}

static int set_option(struct parser *p, enum option id, const char *value) {
        p->args->given |= 1U << id;
        if (options[id].value && !value) /* it may be left out */
                return 0;
        switch (id) {
        case OPTION_CONFIG:
                p->args->config = value;
                return 0;
        case OPTION_SOCKET:
                p->args->socket = value;
                return 0;
        case OPTION_COLOR:
                return set_color(p, value);
        case OPTION_LOG_LEVEL:
                return set_log_level(p, value);
        case OPTION_WAIT:
                return set_wait(p, value);
        case OPTION_WATCH:
                return set_watch(p, value);
        case OPTION_DEADLINE:
                return set_deadline(p, value);
        case OPTION_SORT:
                return set_sort(p, value);
        case OPTION_LEVEL:
                return set_level(p, value);
        case OPTION_EVENT:
                return set_event(p, value);
        case OPTION_LIMIT:
                return set_limit(p, value);
        case OPTION_ONLY:
                p->args->only[p->args->n_only++] = value;
                return 0;
        case OPTION_SKIP:
                p->args->skip[p->args->n_skip++] = value;
                return 0;
        case OPTION_BACKEND:
                p->args->backend = value;
                return 0;
        default:
                return 0;
        }
}

/* The value behind "=" or in the same word, else the next word. */
static int take_option(struct parser *p, enum option id, const char *inline_value) {
        const struct option_info *o = &options[id];
        const char *value = inline_value, *example = o->value;

        if (example && *example == '[')
                example++;
        if (!o->value && value)
                return problem(p, str_printf("option '--%s' takes no value", o->name));
        if (o->value && o->value[0] == '[' && !value)
                return set_option(p, id, NULL);
        if (o->value && !value) {
                /* What looks like an option is one: --config=-x is there for odd names. */
                if (p->next < p->argc && p->argv[p->next][0] != '-')
                        value = p->argv[p->next++];
        }
        if (o->value && (!value || !*value))
                return problem(p, str_printf("option '--%s' needs a value: --%s=%.*s", o->name,
                                             o->name, (int)strcspn(example, "]"), example));
        return set_option(p, id, value);
}

static int unknown_option(struct parser *p, const char *name) {
        const char *words[OPTIONS_COUNT + 1] = { NULL };
        const char *meant;

        for (size_t i = 0; i < OPTIONS_COUNT; i++)
                words[i] = options[i].name;
        meant = str_closest(name, words);
        if (meant)
                return problem(
                        p, str_printf("unknown option '--%s'; did you mean '--%s'?", name, meant));
        return problem(p, str_printf("unknown option '--%s'", name));
}

static int parse_long(struct parser *p, const char *word) {
        size_t n = strcspn(word, "=");
        _cleanup_(str_freep) char *name = strndup(word, n);

        if (!name)
                return -ENOMEM;
        for (enum option id = 0; id < OPTIONS_COUNT; id++) {
                if (strcmp(options[id].name, name) == 0)
                        return take_option(p, id, word[n] == '=' ? word + n + 1 : NULL);
        }
        return unknown_option(p, name);
}

/* "-qv", "-cFILE", "-c FILE" */
static int parse_letters(struct parser *p, const char *word) {
        for (; *word; word++) {
                enum option id = 0;
                int r;

                while (id < OPTIONS_COUNT && options[id].letter != *word)
                        id++;
                if (id == OPTIONS_COUNT)
                        return problem(p, str_printf("unknown option '-%.*s'",
                                                     (int)strcspn(word, "="), word));
                if (options[id].value)
                        return take_option(p, id, word[1] ? word + 1 + (word[1] == '=') : NULL);
                r = set_option(p, id, NULL);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int parse_words(struct parser *p) {
        bool ended = false;
        int r;

        while (p->next < p->argc) {
                const char *word = p->argv[p->next++];

                r = 0;
                if (!ended && strcmp(word, "--") == 0)
                        ended = true;
                else if (!ended && word[0] == '-' && word[1] == '-')
                        r = parse_long(p, word + 2);
                else if (!ended && word[0] == '-' && word[1])
                        r = parse_letters(p, word + 1);
                else
                        p->args->words[p->n_words++] = word;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int unknown_verb(struct parser *p, const char *name) {
        const char *meant = verb_closest(name);

        if (meant)
                return problem(p,
                               str_printf("unknown command '%s'; did you mean '%s'?", name, meant));
        return problem(p, str_printf("unknown command '%s'", name));
}

/* The first word is right, and needs another one. */
static int unknown_sub(struct parser *p, const char *name, const char *sub) {
        char subs[VERB_SUBS_MAX];
        const char *meant;

        verb_subs(name, subs);
        if (!sub)
                return problem(p,
                               str_printf("'%s' needs a second word: bal %s %s", name, name, subs));
        meant = strchr(subs, '|') ? verb_closest_sub(name, sub) : subs; /* the only one there is */
        if (meant)
                return problem(p, str_printf("unknown command '%s %s'; did you mean '%s %s'?", name,
                                             sub, name, meant));
        return problem(p, str_printf("unknown command '%s %s'; there is: bal %s %s", name, sub,
                                     name, subs));
}

/* Which row, and how many words it took. */
static int find_verb(struct parser *p, size_t *ret_used) {
        const char *name = p->args->words[0], *second = p->n_words > 1 ? p->args->words[1] : NULL;
        const struct verb *v = verb_find(name, NULL), *group = verb_group(name);

        *ret_used = 1;
        if (v && group && second && verb_find(name, second)) {
                *ret_used = 2;
                v = verb_find(name, second);
        } else if (!v && group) {
                *ret_used = 2;
                v = second ? verb_find(name, second) : NULL;
                if (!v && !second && args_has(p->args, OPTION_BIT(HELP))) {
                        v = group;
                        p->args->group = true;
                }
                if (!v)
                        return unknown_sub(p, name, second);
        }
        if (!v)
                return unknown_verb(p, name);
        p->args->verb = v;
        return 0;
}

static int check_options(struct parser *p) {
        const struct verb *v = p->args->verb;

        for (enum option id = 0; id < OPTIONS_COUNT; id++) {
                uint32_t bit = 1U << id;

                if (args_has(p->args, bit) && !options[id].common && !(v->options & bit))
                        return problem(p, str_printf("'%s' does not take the option '--%s'",
                                                     p->args->command, options[id].name));
        }
        if (args_has(p->args, OPTION_BIT(BRIEF)) && args_has(p->args, OPTION_BIT(VERBOSE)))
                return problem(p, str_printf("--brief and --verbose exclude each other"));
        return 0;
}

static int check_operands(struct parser *p, size_t used) {
        struct args *a = p->args;
        const struct verb *v = a->verb;
        size_t n = p->n_words > used ? p->n_words - used : 0;

        if (args_has(a, OPTION_BIT(HELP) | OPTION_BIT(VERSION)))
                return 0;
        if (n < v->operands_min)
                return problem(p, str_printf("'%s' needs %s: bal %s %s", a->command, v->needs,
                                             a->command, v->operand));
        if (n > v->operands_max)
                return problem(p, str_printf("'%s' does not take '%s'", a->command,
                                             a->words[used + v->operands_max]));
        a->operands = a->words + used;
        a->n_operands = n;
        a->operand = n > 0 ? a->operands[0] : NULL;
        return 0;
}

static int understand(struct parser *p) {
        size_t used;
        int r;

        r = parse_words(p);
        if (r < 0)
                return r;
        if (p->n_words == 0) {
                if (!args_has(p->args, OPTION_BIT(VALIDATE)))
                        return 0;
                p->args->verb = verb_find("check", NULL);
                verb_title(p->args->verb, p->args->command);
                return check_options(p);
        }
        r = find_verb(p, &used);
        if (r < 0)
                return r;

        verb_title(p->args->verb, p->args->command);
        r = check_options(p);
        if (r < 0)
                return r;
        return check_operands(p, used);
}

/* A script that asked for JSON gets it also when a word before --json is wrong. */
static bool wants_json(int argc, char **argv) {
        for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
                if (strcmp(argv[i], "--json") == 0)
                        return true;
        }
        return false;
}

int args_parse(struct args *ret, int argc, char **argv, char **ret_problem) {
        struct parser p = { .args = ret, .argv = argv, .argc = argc, .next = 1 };
        int r;

        *ret = (struct args){ .log_level = -1,
                              .wait_ms = ARGS_WAIT_MS,
                              .watch_ms = ARGS_WATCH_MS,
                              .deadline_ms = -1,
                              .limit = -1 };
        *ret_problem = NULL;
        ret->words = calloc(3 * ((size_t)argc + 1), sizeof(*ret->words));
        if (!ret->words)
                return -ENOMEM;
        ret->only = ret->words + argc + 1;
        ret->skip = ret->only + argc + 1;

        r = understand(&p);
        if (r < 0 && wants_json(argc, argv))
                ret->given |= OPTION_BIT(JSON);
        *ret_problem = p.problem;
        return r;
}

void args_done(struct args *a) {
        free(a->words);
        a->words = a->operands = a->only = a->skip = NULL;
}
