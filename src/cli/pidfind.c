/* SPDX-License-Identifier: MIT */

#include "cli/pidfind.h"

#include <string.h>

#include "bal/exit.h"
#include "core/paths.h"
#include "core/str.h"

char *pidfind_beside(const char *socket) {
        const char *slash = strrchr(socket, '/');

        return slash ? str_printf("%.*s/bal.pid", (int)(slash - socket), socket)
                     : str_printf("bal.pid");
}

/* Each is owned by the caller. A socket that answered or was silent has its daemon, and no other
 * one is meant. */
static void pid_paths(char *ret[static 3], const struct cli *c, const struct answer *a) {
        _cleanup_(str_freep) char *runtime = NULL;
        _cleanup_(str_freep) char *home = NULL;

        if (a->socket && (a->result == ASK_OK || a->result == ASK_SILENT || c->args.socket)) {
                ret[0] = pidfind_beside(a->socket);
                return;
        }
        if (paths_runtime_dir(&runtime) == 0)
                ret[0] = str_printf("%s/bal.pid", runtime);
        if (paths_home_dir(&home) == 0)
                ret[1] = str_printf("%s/bal.pid", home);
        ret[2] = str_printf("%s", PATHS_RUN "/bal.pid");
}

void pidfind(struct pidfound *ret, const struct cli *c, const struct answer *a) {
        char *paths[3] = { NULL };

        *ret = (struct pidfound){ .lock = { .state = PIDLOCK_ABSENT, .pidfd = -EBADF } };
        pid_paths(paths, c, a);
        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                if (paths[i] && ret->lock.state == PIDLOCK_ABSENT) {
                        pidlock_open(&ret->lock, paths[i]);
                        if (ret->lock.state != PIDLOCK_ABSENT)
                                ret->path = take_ptr(paths[i]);
                }
                str_freep(&paths[i]);
        }
}

void pidfound_done(struct pidfound *f) {
        pidlock_done(&f->lock);
        str_freep(&f->path);
}

int pidfind_fail(struct cli *c, const struct pidfound *f, const struct answer *a) {
        const char *why = pidlock_why(f->lock.state);

        if (!why || !f->path)
                return answer_fail(c, a);
        return verb_fail(c, BAL_EXIT_FAILED,
                         "%s names pid %d, but %s; nothing was signalled. See who holds the file, "
                         "perhaps in a container: lslocks -o PID,COMMAND,PATH",
                         f->path, (int)f->lock.pid, why);
}
