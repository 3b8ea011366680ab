/* SPDX-License-Identifier: MIT */

#include "core/paths.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int paths_join(char **ret, const char *dir, const char *name) {
        char *path;

        if (asprintf(&path, "%s/%s", dir, name) < 0)
                return -ENOMEM;
        *ret = path;
        return 0;
}

int paths_home_dir(char **ret) {
        const char *home = getenv("HOME");
        struct passwd *pw;

        if (!home || home[0] != '/') {
                pw = getpwuid(geteuid());
                home = pw ? pw->pw_dir : NULL;
        }
        if (!home || home[0] != '/')
                return -ENOENT;
        return paths_join(ret, home, ".bal");
}

int paths_runtime_dir(char **ret) {
        const char *dirs = getenv("RUNTIME_DIRECTORY");
        char *dir;

        if (!dirs || dirs[0] != '/')
                return paths_home_dir(ret);

        /* systemd separates several by colons; bal lives in the first, systemd.exec(5) */
        dir = strndup(dirs, strcspn(dirs, ":"));
        if (!dir)
                return -ENOMEM;
        *ret = dir;
        return 0;
}
