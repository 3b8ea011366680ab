/* SPDX-License-Identifier: MIT */

#include "cli/args.h"

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
        int argc, next;       /* argv[next] is the next word */
        const char *words[3]; /* what is no option: verb, its second word or operand */
        size_t n_words;
        char *problem; /* owned; the first one ends the parsing */
        const char *command;
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

static int set_option(struct parser *p, enum option id, const char *value) {
        p->args->given |= 1U << id;
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
        default:
                return 0;
        }
}

/* The value behind "=" or in the same word, else the next word. */
static int take_option(struct parser *p, enum option id, const char *inline_value) {
        const struct option_info *o = &options[id];
        const char *value = inline_value;

        if (!o->value && value)
                return problem(p, str_printf("option '--%s' takes no value", o->name));
        if (o->value && !value) {
                /* What looks like an option is one: --config=-x is there for odd names. */
                if (p->next < p->argc && p->argv[p->next][0] != '-')
                        value = p->argv[p->next++];
        }
        if (o->value && (!value || !*value))
                return problem(p, str_printf("option '--%s' needs a value: --%s=%s", o->name,
                                             o->name, o->value));
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
                else if (p->n_words < ELEMENTS(p->words))
                        p->words[p->n_words++] = word;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int unknown_verb(struct parser *p, const char *name, const char *sub) {
        const char *meant = verb_closest(name);

        if (sub) { /* the first word is right */
                const struct verb *v = NULL;

                for (size_t i = 0; i < n_verbs && !v; i++)
                        v = strcmp(verbs[i].name, name) == 0 ? &verbs[i] : NULL;
                return problem(p, str_printf("unknown command '%s %s'; did you mean '%s %s'?", name,
                                             sub, name, v->sub));
        }
        if (meant)
                return problem(p,
                               str_printf("unknown command '%s'; did you mean '%s'?", name, meant));
        return problem(p, str_printf("unknown command '%s'", name));
}

/* Which row, and how many words it took. */
static int find_verb(struct parser *p, size_t *ret_used) {
        const char *name = p->words[0], *second = p->n_words > 1 ? p->words[1] : NULL;
        const struct verb *v = verb_find(name, NULL);

        *ret_used = 1;
        for (size_t i = 0; i < n_verbs && !v; i++) {
                if (!verbs[i].sub || strcmp(verbs[i].name, name) != 0)
                        continue;
                v = verb_find(name, second);
                if (!v && !second && args_has(p->args, OPTION_BIT(HELP)))
                        v = &verbs[i];
                if (!v && !second)
                        return problem(p, str_printf("'%s' needs a second word: bal %s %s", name,
                                                     name, verbs[i].sub));
                if (!v)
                        return unknown_verb(p, name, second);
                *ret_used = 2;
        }
        if (!v)
                return unknown_verb(p, name, NULL);
        p->args->verb = v;
        return 0;
}

static int check_options(struct parser *p) {
        const struct verb *v = p->args->verb;

        for (enum option id = 0; id < OPTIONS_COUNT; id++) {
                uint32_t bit = 1U << id;

                if (args_has(p->args, bit) && !options[id].common && !(v->options & bit))
                        return problem(p, str_printf("'%s' does not take the option '--%s'",
                                                     v->name, options[id].name));
        }
        if (args_has(p->args, OPTION_BIT(BRIEF)) && args_has(p->args, OPTION_BIT(VERBOSE)))
                return problem(p, str_printf("--brief and --verbose exclude each other"));
        return 0;
}

static int check_operands(struct parser *p, size_t used) {
        const struct verb *v = p->args->verb;

        if (args_has(p->args, OPTION_BIT(HELP) | OPTION_BIT(VERSION)))
                return 0;
        if (v->operand && p->n_words > used)
                p->args->operand = p->words[used++];
        if (v->operand && !p->args->operand && !v->operand_optional)
                return problem(p, str_printf("'%s' needs a %s: bal %s %s", v->name, v->operand,
                                             v->name, v->operand));
        if (p->n_words > used)
                return problem(p, str_printf("'%s' does not take '%s'", v->name, p->words[used]));
        return 0;
}

static int understand(struct parser *p) {
        size_t used;
        int r;

        r = parse_words(p);
        if (r < 0)
                return r;
        if (p->n_words == 0) {
                if (args_has(p->args, OPTION_BIT(VALIDATE)))
                        p->args->verb = verb_find("check", NULL);
                return p->args->verb ? check_options(p) : 0;
        }
        r = find_verb(p, &used);
        if (r < 0)
                return r;

        p->command = p->args->verb->name;
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

int args_parse(struct args *ret,
               int argc,
               char **argv,
               char **ret_problem,
               const char **ret_command) {
        struct parser p = { .args = ret, .argv = argv, .argc = argc, .next = 1, .command = "" };
        int r;

        *ret = (struct args){ .log_level = -1, .wait_ms = ARGS_WAIT_MS };
        r = understand(&p);
        if (r < 0 && wants_json(argc, argv))
                ret->given |= OPTION_BIT(JSON);
        *ret_problem = p.problem;
        *ret_command = p.command;
        return r;
}
