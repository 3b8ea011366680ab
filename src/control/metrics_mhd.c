/* SPDX-License-Identifier: MIT */

#include "control/metrics_mhd.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "core/str.h"

#define LIBRARY "libmicrohttpd.so.12" /* of Debian 12, and of libmicrohttpd 1.0 too */

static bool failed;   /* a look is not trusted any more; the control thread's own, like all here */
static char *problem; /* owned */

static void note_problem(void) {
        const char *text = dlerror();

        failed = true;
        str_freep(&problem);
        problem = text ? str_clean(text) : NULL;
}

const char *mhd_problem(void) {
        return problem ?: LIBRARY " cannot be loaded";
}

/* ---- looking ---- */

/* 1: this is what will be loaded; 0: nothing is there; -ENOEXEC: something is that cannot be. */
static int look_into(const char *dir) {
        _cleanup_(fd_closep) int fd = -EBADF;
        char path[PATH_MAX], magic[SELFMAG];

        if (snprintf(path, sizeof(path), "%s/%s", dir, LIBRARY) >= (int)sizeof(path))
                return 0;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return 0;
        return fd_read(fd, magic, sizeof(magic)) == SELFMAG && memcmp(magic, ELFMAG, SELFMAG) == 0
                       ? 1
                       : -ENOEXEC;
}

/* The loader's own list of directories, without what ld.so.cache adds. */
static bool lies_on_the_path(void) {
        void *self = dlopen(NULL, RTLD_NOW);
        Dl_serinfo *list = NULL, head;
        int found = 0;

        if (self && dlinfo(self, RTLD_DI_SERINFOSIZE, &head) == 0)
                list = malloc(head.dls_size);
        if (list) {
                list->dls_size = head.dls_size;
                list->dls_cnt = head.dls_cnt;
                if (dlinfo(self, RTLD_DI_SERINFO, list) < 0)
                        list->dls_cnt = 0;
                for (unsigned i = 0; i < list->dls_cnt && found == 0; i++)
                        found = look_into(list->dls_serpath[i].dls_name);
        }
        free(list);
        if (self)
                dlclose(self);
        return found > 0;
}

/* ---- loading ---- */

static bool find(void *library, const char *name, void *ret_function) {
        void *function = dlsym(library, name);

        memcpy(ret_function, &function, sizeof(function)); /* C has no cast from one to the other */
        return function;
}

const struct mhd *mhd_load(void) {
        static struct mhd mhd;
        static bool loaded;
        void *library;

        if (loaded)
                return &mhd;
        library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
        loaded = library;
#define X(name) loaded = loaded && find(library, "MHD_" #name, &mhd.name);
        MHD_FUNCTIONS(X)
#undef X
        if (!loaded)
                note_problem();
        if (!loaded && library)
                dlclose(library);
        return loaded ? &mhd : NULL;
}

bool mhd_is_there(void) {
        return (!failed && lies_on_the_path()) || mhd_load();
}
