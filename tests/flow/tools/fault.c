/* SPDX-License-Identifier: MIT */
/*
 * To be preloaded into bal: allocations of its workers fail on demand, and so does epoll_ctl(2)
 * that adds. The test says which one through a page of the file FAULT_PAGE: so many succeed before
 * the one that fails; -1: none fails. Afterwards it reads -2.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NONE   (-1)
#define FAILED (-2)

/* what glibc's own malloc() and its kin are called besides */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static _Atomic int *page; /* NULL: not yet, or no file */

static __attribute__((constructor)) void map_page(void) {
        const char *path = getenv("FAULT_PAGE");
        int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
        void *p;

        if (fd < 0)
                return;
        p = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (p != MAP_FAILED)
                page = p;
}

static bool in_worker(void) {
        char name[16];

        return prctl(PR_GET_NAME, name) == 0 && strncmp(name, "bal-w", 5) == 0;
}

static bool is_due(int error) {
        int left = page ? atomic_load(page) : NONE;

        if (left < 0 || !in_worker())
                return false;
        while (left >= 0 &&
               !atomic_compare_exchange_weak(page, &left, left > 0 ? left - 1 : FAILED))
                ;
        if (left != 0)
                return false;
        errno = error;
        return true;
}

void *malloc(size_t size) {
        return is_due(ENOMEM) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
        return is_due(ENOMEM) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size) {
        return is_due(ENOMEM) ? NULL : __libc_realloc(p, size);
}

int epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event) {
        if (op == EPOLL_CTL_ADD && is_due(ENOSPC))
                return -1;
        return (int)syscall(SYS_epoll_ctl, epoll_fd, op, fd, event);
}
