/* SPDX-License-Identifier: MIT */

#include "control/metrics_mhd.h"

#include <dlfcn.h>
#include <string.h>

#include "core/base.h"

#define LIBRARY "libmicrohttpd.so.12" /* of Debian 12, and of libmicrohttpd 1.0 too */

static bool find(void *library, const char *name, void *ret_function) {
        void *function = dlsym(library, name);

        memcpy(ret_function, &function, sizeof(function)); /* C has no cast from one to the other */
        return function;
}

const struct mhd *mhd_load(void) {
        static struct mhd mhd; /* the control thread's own */
        static bool loaded;
        void *library;

        if (loaded)
                return &mhd;
        library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
        if (!library)
                return NULL;
        loaded = true;
#define X(name) loaded = find(library, "MHD_" #name, &mhd.name) && loaded;
        MHD_FUNCTIONS(X)
#undef X
        if (!loaded)
                dlclose(library);
        return loaded ? &mhd : NULL;
}
