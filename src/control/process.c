/* SPDX-License-Identifier: MIT */

#include "control/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

#define MANY_FDS 1000 /* to list so many takes half a millisecond */

static uint64_t cpu_us(void) {
        struct timespec ts;

        if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts) < 0)
                return 0;
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* The second number of /proc/self/statm, in pages. */
static uint64_t resident_bytes(void) {
        char text[128];
        unsigned long long size, resident;
        ssize_t n;
        int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return 0;
        n = read(fd, text, sizeof(text) - 1);
        fd_close(fd);
        if (n <= 0)
                return 0;
        text[n] = '\0';
        if (sscanf(text, "%llu %llu", &size, &resident) != 2)
                return 0;
        return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t list_fds(void) {
        DIR *dir = opendir("/proc/self/fd");
        const struct dirent *each;
        uint64_t n = 0;

        if (!dir)
                return 0;
        while ((each = readdir(dir)))
                n += each->d_name[0] != '.';
        closedir(dir);
        return n > 0 ? n - 1 : 0; /* without the one that lists them */
}

static uint64_t open_fds(void) {
        static uint64_t listed, listed_ms; /* the control thread's own */
        uint64_t now_ms = clock_mono_ms();
        struct stat st;

        if (stat("/proc/self/fd", &st) < 0)
                return 0;
        if (st.st_size > 0) /* Linux 6.2 */
                return (uint64_t)st.st_size;
        if (listed < MANY_FDS || now_ms - listed_ms >= PROCESS_FDS_MS) {
                listed = list_fds();
                listed_ms = now_ms;
        }
        return listed;
}

void process_look(struct process_facts *ret) {
        struct rlimit limit = { 0 };

        getrlimit(RLIMIT_NOFILE, &limit);
        *ret = (struct process_facts){ .cpu_us = cpu_us(),
                                       .resident_bytes = resident_bytes(),
                                       .open_fds = open_fds(),
                                       .max_fds = limit.rlim_cur };
}
