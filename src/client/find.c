/* SPDX-License-Identifier: MIT */
/* Which socket a client talks to. */

#include <stdlib.h>
#include <string.h>

#include "bal/client.h"
#include "core/base.h"
#include "core/paths.h"
#include "core/str.h"

/* What to tell when no place answers: the reason that a person can do most about. */
static int severity(int r) {
        switch (r) {
        case -ENOENT:
                return 0;
        case -ECONNREFUSED:
                return 1;
        case -EACCES:
        case -EPERM:
                return 3;
        default:
                return 2;
        }
}

static const char *socket_name(enum bal_socket which) {
        return which == BAL_SOCKET_ADMIN ? BAL_ADMIN_SOCKET : BAL_STATUS_SOCKET;
}

/* The status socket's path is the one people know; who names the admin socket itself gets it. */
static int path_from_option(char **ret, const char *option, enum bal_socket which) {
        const char *slash = strrchr(option, '/');
        int dir = slash ? (int)(slash - option) + 1 : 0;

        if (which == BAL_SOCKET_ADMIN)
                *ret = str_printf("%.*s%s", dir, option, BAL_ADMIN_SOCKET);
        else
                *ret = strdup(option);
        return *ret ? 0 : -ENOMEM;
}

struct search {
        enum bal_socket which;
        struct bal_client *found; /* owned */
        char *path;               /* owned; of found, or of the worst failure */
        int worst;
};

/* Takes path. 0: it answers; -ENOMEM; other failures are noted and -EAGAIN says: try the next. */
static int search_path(struct search *s, char *path) {
        int r;

        r = bal_client_new(&s->found, path);
        if (r < 0 && r != -ENOMEM && s->path && severity(r) <= severity(s->worst)) {
                free(path);
                return -EAGAIN;
        }
        free(s->path);
        s->path = path;
        s->worst = r;
        return r < 0 && r != -ENOMEM ? -EAGAIN : r;
}

static int search_dir(struct search *s, const char *dir) {
        char *path;
        int r;

        r = paths_join(&path, dir, socket_name(s->which));
        return r < 0 ? r : search_path(s, path);
}

/* $RUNTIME_DIRECTORY, ~/.bal, /run/bal. Without a home directory there is one place less. */
static int search_dirs(struct search *s) {
        _cleanup_(str_freep) char *runtime = NULL, *home = NULL;
        int r;

        r = paths_runtime_dir(&runtime);
        if (r < 0 && r != -ENOENT)
                return r;
        r = paths_home_dir(&home);
        if (r < 0 && r != -ENOENT)
                return r;

        r = -EAGAIN;
        if (runtime)
                r = search_dir(s, runtime);
        if (r == -EAGAIN && home && (!runtime || strcmp(home, runtime) != 0))
                r = search_dir(s, home);
        if (r == -EAGAIN && (!runtime || strcmp(PATHS_RUN, runtime) != 0))
                r = search_dir(s, PATHS_RUN);
        return r;
}

int bal_client_open(struct bal_client **ret,
                    enum bal_socket which,
                    const char *option,
                    char **ret_path) {
        struct search s = { .which = which };
        char *path;
        int r;

        if (ret_path)
                *ret_path = NULL;
        if (option) {
                r = path_from_option(&path, option, which);
                if (r == 0)
                        r = search_path(&s, path);
        } else
                r = search_dirs(&s);

        if (r == -EAGAIN)
                r = s.worst;
        if (r == 0)
                *ret = s.found;
        if (ret_path && r != -ENOMEM)
                *ret_path = take_ptr(s.path);
        free(s.path);
        return r;
}
