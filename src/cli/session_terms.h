/* SPDX-License-Identifier: MIT */
/* cli/session_terms.h - which connections "backend:web/10.20.0.22:8080 idle:10m" means. Pure. */
#pragma once

#include <jansson.h>

#include "core/base.h"

struct session_terms {
        json_t *parameters; /* owned; of GetSessions and CloseSessions */
        bool names;         /* it says whose, not only how old; CloseSessions wants that */
        /* owned; NULL: none. A name that the document does not have may be of what a reload has
         * removed and whose connections go on. So this is said only when no connection fits. */
        char *doubt;
};

/* Does any of the words need a document of bal.status to be understood? */
bool session_terms_need_names(const char *const *words, size_t n);

/* doc may be NULL when none does. 0; -EINVAL: a word is wrong in itself; -ENOENT: nothing has that
 * name: *ret_problem is one sentence; -ENOMEM. */
int session_terms_read(struct session_terms *ret,
                       const json_t *doc,
                       const char *const *words,
                       size_t n,
                       char **ret_problem);
void session_terms_done(struct session_terms *t);
