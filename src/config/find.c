/* SPDX-License-Identifier: MIT */

#include "config/find.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/paths.h"
#include "core/str.h"

#define FILE_NAME "config.yaml"

static const char first_file[] = "# bal: connections to port 9295 go to the backends below.\n"
                                 "# After a change: bal check && bal graceful. All keys: "
                                 "man 5 bal-config, bal config keys\n"
                                 "port: 9295\n"
                                 "backends:\n"
                                 "  - host: \"127.0.0.1\"\n"
                                 "    port: 9000\n";

/* Whether the path is there at all. A file that may not be read counts: to pass it over in silence
 * would start bal with another configuration than people think. */
static bool is_there(const char *path) {
        return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static int set(char **ret, const char *path) {
        *ret = strdup(path);
        return *ret ? 0 : -ENOMEM;
}

static int home_path(char **ret) {
        _cleanup_(str_freep) char *dir = NULL;
        int r;

        r = paths_home_dir(&dir);
        if (r < 0)
                return r;
        return paths_join(ret, dir, FILE_NAME);
}

int config_find(char **ret, const char *given) {
        _cleanup_(str_freep) char *home = NULL;
        int r;

        if (given) {
                r = set(ret, given);
                return r < 0 ? r : is_there(given) ? 0 : -ENOENT;
        }

        r = home_path(&home);
        if (r < 0 && r != -ENOENT)
                return r;
        if (home && is_there(home)) {
                *ret = take_ptr(home);
                return 0;
        }

        if (is_there(PATHS_ETC_CONFIG))
                return set(ret, PATHS_ETC_CONFIG);
        if (!home) { /* a daemon's user without a home: the system's file is what could be made */
                r = set(ret, PATHS_ETC_CONFIG);
                return r < 0 ? r : -ENOENT;
        }
        *ret = take_ptr(home);
        return -ENOENT;
}

/* The directory of the file, when it is missing; its parents must be there. */
static int make_dir(const char *path) {
        _cleanup_(str_freep) char *dir = strdup(path);
        char *slash;

        if (!dir)
                return -ENOMEM;
        slash = strrchr(dir, '/');
        if (!slash || slash == dir)
                return 0;

        *slash = '\0';
        if (mkdir(dir, 0700) < 0 && errno != EEXIST)
                return -errno;
        return 0;
}

static int write_all(int fd, const char *s, size_t n) {
        while (n > 0) {
                ssize_t k = write(fd, s, n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                s += k;
                n -= (size_t)k;
        }
        return fsync(fd) < 0 ? -errno : 0;
}

int config_write_first(const char *path) {
        _cleanup_(fd_closep) int fd = -EBADF;
        int r;

        r = make_dir(path);
        if (r < 0)
                return r;

        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;

        r = write_all(fd, first_file, strlen(first_file));
        if (r < 0)
                unlink(path); /* half a file would be found as a broken one next time */
        return r;
}
