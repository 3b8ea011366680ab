/* SPDX-License-Identifier: MIT */
/*
 * control/server.h - the daemon's end of status.sock and admin.sock, on the control thread's event
 * loop. Nothing here blocks, and every client is held to the limits of bal/protocol.h.
 */
#pragma once

#include <jansson.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "bal/protocol.h"
#include "core/base.h"
#include "varlink/writer.h"

struct server;
struct server_call; /* a call that wants its answer */

/* The answer is due, now or later, by exactly one server_reply() or server_error(), which ends the
 * call; a oneway call too, it is just not sent. parameters is an object, never NULL, borrowed; its
 * names are among those of the table, their types are yours to check. */
typedef void (*server_fn)(struct server_call *call, json_t *parameters, void *userdata);

struct server_method {
        enum bal_method method;
        server_fn fn;
};

/* GetInfo and GetInterfaceDescription it answers itself; a method of the table that is not among
 * the n is answered with MethodNotImplemented. methods is copied. */
int server_new(struct server **ret,
               sd_event *event,
               const struct server_method *methods,
               size_t n,
               void *userdata);

/* Sends the answers that were given, closes all connections and unlinks its socket files;
 * unanswered calls stay safe to answer. Not from within a server_fn. */
struct server *server_free(struct server *s);
DEFINE_CLEANUP(struct server *, server_free)

/* Creates the socket with exactly this mode. A left-over socket on which nobody answers is replaced
 * (the caller holds the PID lock). -EADDRINUSE: somebody answers; -EEXIST: something else is there;
 * -ENAMETOOLONG: see SERVER_PATH_MAX; else as bind(2). */
#define SERVER_PATH_MAX 107
int server_listen(struct server *s, enum bal_socket which, const char *path, mode_t mode);

/* A listening socket somebody else made, and keeps: takes fd, its file stays. -EINVAL: it is
 * none. */
int server_adopt(struct server *s, enum bal_socket which, int fd);

/* No new clients: own socket files go, those who are connected stay and are served. */
void server_stop_accepting(struct server *s);

/* Both take parameters and end the call. A reply of NULL says that the caller could not build it,
 * the client gets the error Internal; an empty one is json_object(). Errors: NULL means none. */
void server_reply(struct server_call *call, json_t *parameters);
void server_error(struct server_call *call, enum bal_error error, json_t *parameters);
/* A reply whose object is text already, without NUL; frees parameters->bytes. */
void server_reply_text(struct server_call *call, struct varlink_text *parameters);

void server_invalid(struct server_call *call, const char *parameter); /* InvalidParameter */
/* The answer could not be made: ReplyTooLarge for -EMSGSIZE, Internal for all else. */
void server_failed(struct server_call *call, int r);

/* A call with "more": true may get any number of answers before the last one, which is
 * server_reply() or server_error() as ever. */
bool server_call_wants_more(const struct server_call *call);

/* One of these, with "continues". Takes parameters. 1: it is under way; 0: the client has not read
 * the one before yet, so it misses this one (and after BAL_STALL_MS it is dropped); -EPIPE: the
 * client is gone, end the call; -ENOMEM, -EMSGSIZE. */
int server_reply_more(struct server_call *call, json_t *parameters);

/* An answer that is made once and goes to many such calls: all of them send from the same memory.
 * Counted, in the control thread only. */
struct server_text;
/* Takes parameters->bytes, the text of the object without NUL. -ENOMEM, -EMSGSIZE. */
int server_text_new(struct server_text **ret, struct varlink_text *parameters);
struct server_text *server_text_unref(struct server_text *t);
size_t server_text_size(const struct server_text *t);
/* As server_reply_more(), but the caller's reference stays his. */
int server_reply_more_text(struct server_call *call, struct server_text *t);

/* May the next answer go out; or has everything been read? For who sends when there is room. */
bool server_call_has_room(const struct server_call *call);

/* Called once, from the event loop and never from within, when the client is gone before the call
 * has ended. The call is still to be ended by server_reply(). NULL: nobody. */
typedef void (*server_gone_fn)(struct server_call *call, void *arg);
void server_call_on_gone(struct server_call *call, server_gone_fn fn, void *arg);

/* Who called, as the kernel says. Calls of io.bal.Admin are logged by the server. */
void server_call_peer(const struct server_call *call, uid_t *ret_uid, pid_t *ret_pid);
