/* SPDX-License-Identifier: MIT */
/* cli/ask.h - one call to the daemon, and what became of it in the words the exit codes know. */
#pragma once

#include "bal/client.h"
#include "cli/verb.h"

enum ask_result {
        ASK_OK,        /* reply.parameters is there */
        ASK_ABSENT,    /* nobody has a socket there, or only a left-over one */
        ASK_FORBIDDEN, /* no right to open it */
        ASK_SILENT,    /* no valid answer: too late, garbage, the connection was lost */
        ASK_REFUSED,   /* the daemon answered with reply.error */
};

struct answer {
        enum ask_result result;
        int error;    /* -errno behind ABSENT, FORBIDDEN, SILENT */
        char *socket; /* which was asked, or which the error is about; NULL: no memory */
        struct bal_client *client;
        struct bal_reply reply;
};

#define ASK_MS 2000 /* the daemon's main loop is never busy for so long */

void ask(struct answer *ret, const struct cli *c, enum bal_socket which, enum bal_method m, int ms);
/* The same with parameters, which are taken; NULL: no memory. */
void ask_with(struct answer *ret,
              const struct cli *c,
              enum bal_socket which,
              enum bal_method m,
              json_t *parameters,
              int ms);
void answer_done(struct answer *a);

/* What went wrong, in words: "no such file", "it refused: io.bal.Status.Internal". */
const char *answer_text(const struct answer *a);

/* Every result but ASK_OK as an admin command tells it: the exit code, the sentence (NULL: no
 * memory), and both: tells people, returns the code. */
int answer_code(const struct answer *a);
char *answer_sentence(const struct answer *a);
int answer_fail(struct cli *c, const struct answer *a);
