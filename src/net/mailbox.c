/* SPDX-License-Identifier: MIT */

#include "net/mailbox.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
        struct io io;
        void *owner;
        int event_fd;
        pthread_mutex_t lock;
        struct link mails; /* under the lock */
};

int mailbox_new(struct mailbox **ret, void *owner) {
        _cleanup_(mailbox_freep) struct mailbox *mb = malloc(sizeof(*mb));

        if (!mb)
                return -ENOMEM;

        *mb = (struct mailbox){ .owner = owner, .event_fd = -EBADF };
        io_init(&mb->io);
        link_init(&mb->mails);
        pthread_mutex_init(&mb->lock, NULL);

        mb->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (mb->event_fd < 0)
                return -errno;

        *ret = take_ptr(mb);
        return 0;
}

struct mailbox *mailbox_free(struct mailbox *mb) {
        if (!mb)
                return NULL;

        assert(!mb->io.loop && link_idle(&mb->mails));
        fd_close(mb->event_fd);
        pthread_mutex_destroy(&mb->lock);
        free(mb);
        return NULL;
}

static void mailbox_on_ready(struct io *io) {
        mailbox_run(container_of(io, struct mailbox, io));
}

int mailbox_attach(struct mailbox *mb, struct loop *loop) {
        int r;

        r = io_attach(&mb->io, loop, mb->event_fd, mailbox_on_ready);
        if (r == 0)
                io_want(&mb->io, EPOLLIN);
        return r;
}

void mailbox_detach(struct mailbox *mb) {
        io_detach(&mb->io);
}

int mailbox_fd(const struct mailbox *mb) {
        return mb->event_fd;
}

void mailbox_run(struct mailbox *mb) {
        struct link todo;
        uint64_t count;

        link_init(&todo);
        if (read(mb->event_fd, &count, sizeof(count)) < 0) /* resets it: EAGAIN, it was zero */
                count = 0;
        io_spent(&mb->io, EPOLLIN);

        pthread_mutex_lock(&mb->lock);
        if (!link_idle(&mb->mails)) {
                link_after(&mb->mails, &todo);
                link_remove(&mb->mails);
        }
        pthread_mutex_unlock(&mb->lock);

        while (!link_idle(&todo)) {
                struct mail *m = container_of(todo.next, struct mail, link);

                link_remove(&m->link);
                m->fn(m, mb->owner);
        }
}

void mailbox_post(struct mailbox *mb, struct mail *m) {
        uint64_t one = 1;
        bool was_empty;

        pthread_mutex_lock(&mb->lock);
        was_empty = link_idle(&mb->mails);
        link_before(&mb->mails, &m->link);
        pthread_mutex_unlock(&mb->lock);

        /* cannot fail: the counter would have to be near 2^64, and the owner zeroes it */
        if (was_empty && write(mb->event_fd, &one, sizeof(one)) < 0)
                assert(errno == EAGAIN);
}
