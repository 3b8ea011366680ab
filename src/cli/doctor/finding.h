/* SPDX-License-Identifier: MIT */
/*
 * cli/doctor/finding.h - what one check has found: a level, a sentence, and the three parts.
 *
 * It travels from the process of the check to the one that prints, as bytes. Texts may hold what
 * strangers have written; whoever prints them cleans them.
 */
#pragma once

#include "core/base.h"

enum level { LEVEL_OK, LEVEL_WARN, LEVEL_CRITICAL, LEVELS_COUNT };

/* clang-format off */
#define FINDING_TEXTS(X)                                                                           \
        X(summary)                                                                                 \
        X(what_happened)                                                                           \
        X(why_likely)                                                                              \
        X(do_this_now)                                                                             \
        X(perf) /* for --plugin: "fds=28430;;;0;1048576" */
/* clang-format on */

struct finding {
        enum level level;
#define X(name) char *name; /* owned; NULL: there is nothing to say */
        FINDING_TEXTS(X)
#undef X
};

void finding_done(struct finding *f);

/* Level and summary at once; the last call counts. */
void finding_ok(struct finding *f, const char *fmt, ...) PRINTF(2, 3);
void finding_warn(struct finding *f, const char *fmt, ...) PRINTF(2, 3);
void finding_critical(struct finding *f, const char *fmt, ...) PRINTF(2, 3);

/* One of the texts of a finding. Where there is no memory it stays as it was. */
void words_set(char **text, const char *fmt, ...) PRINTF(2, 3);
void words_line(char **text, const char *fmt, ...) PRINTF(2, 3);   /* one more line */
void words_append(char **text, const char *fmt, ...) PRINTF(2, 3); /* ", more" */

const char *level_word(enum level l); /* "WARN" */
const char *level_key(enum level l);  /* "warn" */

#define FINDING_MAX (64 * 1024) /* bytes on the way; what is longer is cut at the sender */
int finding_write(int fd, const struct finding *f);                    /* 0; -errno of write(2) */
int finding_read(struct finding *ret, const char *bytes, size_t size); /* 0, -EBADMSG, -ENOMEM */
