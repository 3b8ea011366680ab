/* SPDX-License-Identifier: MIT */
/*
 * A path is walked name by name, as the kernel does it. Each symbolic link on the way, and the file
 * at the end, is watched in the directory that it lies in, because editors, package managers and
 * Kubernetes replace names, not bytes; and each directory is watched for going away itself. The
 * file is watched directly, too: mounted into a container it has no name here that would change.
 * Where the walk ends early, the name that is missing is waited for.
 *
 * Whatever happens starts a short wait, for writers seldom do one thing at a time. After it
 * everything is set up afresh, and only then the file is read: what comes later is a new event.
 *
 * inotify has no word for "it is being written", and half a file may be a valid one with half the
 * backends. A lease tells: the kernel refuses it while somebody has the file open for writing.
 */

#include "control/watch.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "core/clock.h"
#include "core/hash.h"
#include "core/log.h"

#define LOG_MODULE "watch"

#define CALM_US        ((uint64_t)100 * 1000) /* without an event */
#define CALM_MAX_MS    1000                   /* since the first one; some file is never calm */
#define RETRY_US       ((uint64_t)2000 * 1000)
#define WRITERS_MAX_MS 10000 /* somebody may have it open for ever */
#define LINKS_MAX      40    /* as the kernel */
#define SPOTS_MAX      128

#define GOES  (IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR)
#define NAMES (GOES | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)
#define FILES (NAMES | IN_CLOSE_WRITE | IN_ATTRIB)
#define INODE (IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)

struct spot { /* one thing that is watched */
        struct watch *watch;
        sd_event_source *source;
        char *name; /* owned; only events of this name count; NULL: those without a name */
};

struct watch {
        sd_event *event; /* referenced */
        char *path;      /* owned */
        watch_fn changed;
        void *userdata;
        sd_event_source *calm, *retry;
        struct spot spots[SPOTS_MAX];
        size_t n_spots;
        uint64_t seen;
        uint64_t first_ms;   /* of the events that are waited out; 0: none */
        uint64_t writing_ms; /* somebody writes it since; 0: nobody */
        int failure;         /* of setting up, told; 0: all is watched */
        bool gone;           /* told */
};

/* ---- what it says ---- */

static int open_file(const char *path) {
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
                return fd;
        fd_close(fd);
        return -EINVAL;
}

static uint64_t sum_fd(int fd) {
        uint64_t sum = 0;
        size_t n_all = 0;
        char buf[16384];
        ssize_t n;

        do {
                n = fd_read(fd, buf,
                            sizeof(buf)); /* full but for the last: always the same pieces */
                if (n < 0)
                        return 0;
                sum = hash_mix(sum ^ hash_bytes(buf, (size_t)n));
                n_all += (size_t)n;
        } while ((size_t)n == sizeof(buf) && n_all <= CONFIG_FILE_MAX);
        return sum > 0 ? sum : 1;
}

uint64_t watch_sum(const char *path) {
        _cleanup_(fd_closep) int fd = open_file(path);

        return fd >= 0 ? sum_fd(fd) : 0;
}

/* Where leases are not to be had (another user's file, some file systems) the time of the last
 * write must do. The signal that would tell the holder to let go is one that is ignored by
 * default. */
static bool is_being_written(int fd) {
        uint64_t now_us = clock_real_us(), written_us;
        struct stat st;
        bool busy;

        if (fcntl(fd, F_SETSIG, SIGURG) == 0) {
                busy = fcntl(fd, F_SETLEASE, F_RDLCK) < 0 && errno == EAGAIN;
                fcntl(fd, F_SETLEASE, F_UNLCK);
                if (busy)
                        return true;
        }
        if (fstat(fd, &st) < 0)
                return false;
        written_us = (uint64_t)st.st_mtim.tv_sec * 1000000 + (uint64_t)st.st_mtim.tv_nsec / 1000;
        return written_us <= now_us && now_us - written_us < CALM_US;
}

/* ---- setting up ---- */

static void spots_drop(struct watch *w) {
        for (size_t i = 0; i < w->n_spots; i++) {
                sd_event_source_disable_unref(w->spots[i].source);
                free(w->spots[i].name);
        }
        w->n_spots = 0;
}

static void wait_for_calm(struct watch *w) {
        uint64_t now_ms = clock_mono_ms(), us = CALM_US, left_us;

        if (w->first_ms == 0)
                w->first_ms = now_ms;
        left_us = now_ms - w->first_ms < CALM_MAX_MS ? (w->first_ms + CALM_MAX_MS - now_ms) * 1000
                                                     : 0;
        sd_event_source_set_time_relative(w->calm, us < left_us ? us : left_us);
        sd_event_source_set_enabled(w->calm, SD_EVENT_ONESHOT);
}

/* A file that has just been created is being filled: the end of that is an event of its own. */
static bool is_a_start(const struct spot *spot, const struct inotify_event *e) {
        struct stat st;

        if (!(e->mask & IN_CREATE) || e->mask & (IN_ISDIR | IN_CLOSE_WRITE | IN_MOVED_TO))
                return false;
        return stat(spot->watch->path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *e, void *userdata) {
        struct spot *spot = userdata;
        const char *name = e->len > 0 ? e->name : NULL;

        (void)source;
        if (name && (!spot->name || strcmp(spot->name, name) != 0))
                return 0;
        if (!is_a_start(spot, e))
                wait_for_calm(spot->watch);
        return 0;
}

/* name NULL: the directory or file itself, which is good to have: who may not list a directory may
 * still walk through it. */
static int spot_add(struct watch *w, const char *path, const char *name, uint32_t mask) {
        struct spot *spot = &w->spots[w->n_spots];
        int r;

        if (w->n_spots == SPOTS_MAX)
                return -ELOOP;
        *spot = (struct spot){ .watch = w, .name = name ? strdup(name) : NULL };
        if (name && !spot->name)
                return -ENOMEM;
        r = sd_event_add_inotify(w->event, &spot->source, path, mask, on_inotify, spot);
        if (r < 0) {
                free(spot->name);
                return !name && (r == -EACCES || r == -EPERM) ? 0 : r;
        }
        w->n_spots++;
        return 0;
}

struct walk {
        char at[PATH_MAX];   /* the directory so far; no links in it */
        char rest[PATH_MAX]; /* what is still to be walked */
        unsigned n_links;
};

/* Takes the next name off the rest. False: there is none. */
static bool walk_next(struct walk *walk, char name[static NAME_MAX + 1]) {
        const char *from = walk->rest + strspn(walk->rest, "/");
        size_t n = strcspn(from, "/");

        if (n == 0 || n > NAME_MAX)
                return false;
        memcpy(name, from, n);
        name[n] = '\0';
        memmove(walk->rest, from + n, strlen(from + n) + 1);
        return true;
}

static bool walk_is_last(const struct walk *walk) {
        return walk->rest[strspn(walk->rest, "/")] == '\0';
}

static void walk_up(struct walk *walk) {
        char *slash = strrchr(walk->at, '/');

        if (slash)
                *slash = '\0';
}

static int walk_down(struct walk *walk, const char *name) {
        size_t n = strlen(walk->at);

        return snprintf(walk->at + n, sizeof(walk->at) - n, "/%s", name) <
                               (int)(sizeof(walk->at) - n)
                       ? 0
                       : -ENAMETOOLONG;
}

static int walk_link(struct walk *walk, const char *link) {
        char target[PATH_MAX], rest[PATH_MAX];
        ssize_t n = readlink(link, target, sizeof(target) - 1);

        if (n < 0)
                return -errno;
        target[n] = '\0';
        if (++walk->n_links > LINKS_MAX)
                return -ELOOP;
        if (target[0] == '/')
                walk->at[0] = '\0';
        memcpy(rest, walk->rest, strlen(walk->rest) + 1);
        return snprintf(walk->rest, sizeof(walk->rest), "%s/%s", target, rest) <
                               (int)sizeof(walk->rest)
                       ? 0
                       : -ENAMETOOLONG;
}

/* One name of the path. 1: go on; 0: this was the last one, or it is not there. */
static int walk_step(struct watch *w, struct walk *walk, const char *name) {
        const char *dir = walk->at[0] ? walk->at : "/";
        bool last = walk_is_last(walk);
        char full[PATH_MAX + NAME_MAX + 2];
        struct stat st;
        int r;

        if (strcmp(name, ".") == 0)
                return 1;
        if (strcmp(name, "..") == 0) {
                walk_up(walk);
                return 1;
        }
        snprintf(full, sizeof(full), "%s/%s", walk->at, name);
        if (lstat(full, &st) < 0)
                return errno == ENOENT || errno == ENOTDIR ? spot_add(w, dir, name, FILES) : -errno;
        if (S_ISLNK(st.st_mode)) {
                r = spot_add(w, dir, name, NAMES);
                if (r == 0)
                        r = walk_link(walk, full);
                return r < 0 ? r : 1;
        }
        r = spot_add(w, dir, last ? name : NULL, last ? FILES : GOES);
        if (r < 0)
                return r;
        if (last || !S_ISDIR(st.st_mode))
                return spot_add(w, full, NULL, INODE);
        r = walk_down(walk, name);
        return r < 0 ? r : 1;
}

static int set_up(struct watch *w) {
        struct walk walk = { 0 };
        char name[NAME_MAX + 1];
        int r = 1;

        spots_drop(w);
        if (snprintf(walk.rest, sizeof(walk.rest), "%s", w->path) >= (int)sizeof(walk.rest))
                return -ENAMETOOLONG;
        while (r > 0 && walk_next(&walk, name))
                r = walk_step(w, &walk, name);
        return r < 0 ? r : 0;
}

/* ---- looking ---- */

static const char *remedy(int r) {
        if (r == -ENOSPC)
                return "no inotify watches are left: raise fs.inotify.max_user_watches with "
                       "sysctl";
        if (r == -EMFILE)
                return "no inotify instances or descriptors are left: raise "
                       "fs.inotify.max_user_instances with sysctl";
        return strerrordesc_np(-r);
}

/* Until all is watched it is looked at every now and then, so a change is still noticed. */
static void tell_failure(struct watch *w, int r) {
        if (r < 0 && r != w->failure && r != -ENOENT) /* it went away while this looked */
                log_warn(config_watch_failed,
                         "the configuration file cannot be watched; it is looked at now and then",
                         F_STR("path", w->path), F_STR("reason", remedy(r)),
                         F_U64("every_ms", RETRY_US / 1000), F_ERR(r));
        w->failure = r;
        if (r == 0)
                return;
        sd_event_source_set_time_relative(w->retry, RETRY_US);
        sd_event_source_set_enabled(w->retry, SD_EVENT_ONESHOT);
}

static void tell_gone(struct watch *w, int r) {
        if (!w->gone)
                log_warn(config_gone,
                         "the configuration file is gone or cannot be read; what is in force stays",
                         F_STR("path", w->path), F_ERR(r));
        w->gone = true;
}

/* The sum of what is there; 0: nothing, or not yet. */
static uint64_t look(struct watch *w) {
        _cleanup_(fd_closep) int fd = open_file(w->path);
        uint64_t now_ms = clock_mono_ms();

        if (fd < 0) {
                tell_gone(w, fd);
                return 0;
        }
        w->gone = false;
        if (is_being_written(fd)) {
                if (w->writing_ms == 0)
                        w->writing_ms = now_ms;
                if (now_ms - w->writing_ms < WRITERS_MAX_MS) {
                        wait_for_calm(w);
                        return 0;
                }
        }
        w->writing_ms = 0;
        return sum_fd(fd);
}

static void check(struct watch *w) {
        uint64_t sum;

        w->first_ms = 0;
        tell_failure(w, set_up(w));
        sum = look(w);
        if (sum == 0 || sum == w->seen)
                return;
        w->seen = sum;
        w->changed(w->userdata); /* the last step: it may free the watch */
}

static int on_timer(sd_event_source *source, uint64_t at, void *userdata) {
        (void)source;
        (void)at;
        check(userdata);
        return 0;
}

void watch_saw(struct watch *w, uint64_t sum) {
        w->seen = sum;
}

/* ---- birth and death ---- */

int watch_new(struct watch **ret,
              sd_event *event,
              const char *path,
              uint64_t seen,
              watch_fn changed,
              void *userdata) {
        _cleanup_(watch_freep) struct watch *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->event = sd_event_ref(event);
        w->seen = seen;
        w->changed = changed;
        w->userdata = userdata;
        w->path = strdup(path);
        if (!w->path)
                return -ENOMEM;
        r = sd_event_add_time_relative(event, &w->calm, CLOCK_MONOTONIC, 0, 1000, on_timer, w);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(event, &w->retry, CLOCK_MONOTONIC, 0, 1000, on_timer, w);
        if (r < 0)
                return r;
        sd_event_source_set_enabled(w->retry, SD_EVENT_OFF);
        *ret = take_ptr(w);
        return 0;
}

struct watch *watch_free(struct watch *w) {
        if (!w)
                return NULL;

        spots_drop(w);
        sd_event_source_disable_unref(w->calm);
        sd_event_source_disable_unref(w->retry);
        sd_event_unref(w->event);
        free(w->path);
        free(w);
        return NULL;
}
