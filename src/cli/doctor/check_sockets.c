/* SPDX-License-Identifier: MIT */
/* The two control sockets: are they there, whose are they, who may use them, who listens there? */

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/doctor/exam.h"
#include "core/str.h"

struct door {
        char path[PATH_MAX];
        int error; /* of lstat(2), or of connect(2) */
        bool there, is_socket, long_path;
        struct stat st;
};

/* 0; -ECONNREFUSED: left over; -EACCES; -EAGAIN: somebody is there, and busy */
static int knock(const char *path) {
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        _cleanup_(fd_closep) int fd =
                socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return -errno;
        memcpy(sa.sun_path, path, strlen(path) + 1);
        return connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
}

static void look(struct door *d, const char *status_path, const char *name) {
        const char *slash = strrchr(status_path, '/');
        int dir = slash ? (int)(slash - status_path) + 1 : 0;

        if (name)
                snprintf(d->path, sizeof(d->path), "%.*s%s", dir, status_path, name);
        else
                snprintf(d->path, sizeof(d->path), "%s", status_path);
        d->long_path = strlen(d->path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path);
        if (lstat(d->path, &d->st) < 0) {
                d->error = -errno;
                return;
        }
        d->there = true;
        d->is_socket = S_ISSOCK(d->st.st_mode);
        if (d->is_socket && !d->long_path)
                d->error = knock(d->path);
}

/* "root:bal 0660" */
static const char *rights(const struct door *d, char *buf, size_t size) {
        const struct passwd *user = getpwuid(d->st.st_uid);
        const struct group *group = getgrgid(d->st.st_gid);
        char uid[16], gid[16];

        snprintf(uid, sizeof(uid), "%u", d->st.st_uid);
        snprintf(gid, sizeof(gid), "%u", d->st.st_gid);
        snprintf(buf, size, "%.40s:%.40s %04o", user ? user->pw_name : uid,
                 group ? group->gr_name : gid, d->st.st_mode & 07777);
        return buf;
}

static const char *my_name(void) {
        const struct passwd *user = getpwuid(geteuid());

        return user ? user->pw_name : "this user";
}

static void judge_long(struct finding *f, const struct door *d) {
        finding_warn(f, "the path is too long for a socket: %s", d->path);
        words_set(&f->what_happened, "%zu bytes, and the kernel takes %zu", strlen(d->path),
                  sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
        words_set(&f->why_likely, "a long runtime directory");
        words_set(&f->do_this_now, "set RUNTIME_DIRECTORY to a shorter one, or name it: --socket");
}

/* False: there is nothing to say against it. */
static bool judge(struct finding *f, const struct door *d, bool daemon) {
        char text[128];

        if (d->long_path) {
                judge_long(f, d);
        } else if (!d->there && daemon) {
                finding_warn(f, "%s is missing, though the daemon runs", d->path);
                words_set(&f->why_likely, "somebody removed it, or cleaned the directory");
                words_set(&f->do_this_now, "start bal again when it suits you");
        } else if (!d->there) {
                return false;
        } else if (!d->is_socket) {
                finding_warn(f, "%s is no socket", d->path);
                words_set(&f->why_likely, "something else was put in its place");
                words_set(&f->do_this_now, "ls -l %s", d->path);
        } else if (d->error == -ECONNREFUSED) {
                finding_warn(f, "%s is left over: nobody listens on it", d->path);
                words_set(&f->why_likely, "bal was killed, or the machine went down");
                words_set(&f->do_this_now, "nothing is lost: bal start -d replaces it");
        } else if (d->error == -EACCES || d->error == -EPERM) {
                finding_warn(f, "user '%s' may not use %s (%s)", my_name(), d->path,
                             rights(d, text, sizeof(text)));
                words_set(&f->why_likely, "it is for its owner%s",
                          d->st.st_mode & 0020 ? " and for a group that this user is not in" : "");
                words_set(&f->do_this_now, "sudo bal doctor");
        } else if (d->st.st_mode & 0002) {
                finding_warn(f, "everybody may use %s (%s)", d->path,
                             rights(d, text, sizeof(text)));
                words_set(&f->why_likely, "its mode was changed by hand");
                words_set(&f->do_this_now, "chmod o-rwx %s", d->path);
        } else {
                return false;
        }
        return true;
}

/* Who may only read status is well: the admin socket is for others. */
static bool judge_admin(struct finding *f, const struct door *admin, bool daemon) {
        if (admin->there && (admin->error == -EACCES || admin->error == -EPERM))
                return false;
        return judge(f, admin, daemon);
}

int check_sockets(struct exam *x, struct finding *f) {
        const struct fact_daemon *d = exam_daemon(x, EXAM_DAEMON_MS);
        struct door status = { .error = 0 }, admin = { .error = 0 };
        bool daemon = d && d->result != ASK_ABSENT;
        char text[128];

        if (!d || !*d->socket) {
                finding_ok(f, "not known: the search for the daemon took too long");
                return 0;
        }
        look(&status, d->socket, NULL);
        look(&admin, d->socket, BAL_ADMIN_SOCKET);
        if (!status.there && status.error == -EACCES) {
                finding_warn(f, "user '%s' may not enter the directory of %s", my_name(),
                             status.path);
                words_set(&f->why_likely, "the daemon belongs to another user");
                words_set(&f->do_this_now, "sudo bal doctor");
        } else if (!judge(f, &status, daemon) && !judge_admin(f, &admin, daemon)) {
                if (status.there)
                        finding_ok(f, "%s (%s) and %s are in order", status.path,
                                   rights(&status, text, sizeof(text)), BAL_ADMIN_SOCKET);
                else
                        finding_ok(f, "none on %s, as no daemon runs", status.path);
        }
        return 0;
}
