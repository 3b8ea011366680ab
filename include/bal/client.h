/* SPDX-License-Identifier: MIT */
/* bal/client.h - the client end, for the CLI and bal-top; owns no terminal and prints nothing. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "bal/protocol.h"

struct bal_client;
struct scan_text; /* varlink/scan.h */

struct bal_reply {
        json_t *message;    /* owned; what follows points into it */
        json_t *parameters; /* an object, never NULL after success */
        const char *error;  /* NULL: success; else the qualified name */
        int error_id;       /* enum bal_error; -ENOENT: none, or an error of others */
        bool continues;     /* more replies to the same call follow */
};

/* -ENOENT: nobody has a socket there; -ECONNREFUSED: a left-over socket; -EACCES: no right;
 * -ENAMETOOLONG; -ETIMEDOUT: the daemon accepts nobody. */
int bal_client_new(struct bal_client **ret, const char *path);

/* Looks the socket up: at the path of --socket if there is one (option not NULL), else in
 * $RUNTIME_DIRECTORY, ~/.bal and /run/bal; the first that answers wins. The path of --socket is the
 * status socket's, the admin socket lies beside it. *ret_path (if wanted; the caller frees it) is
 * set on failure as well, to the path which the error is about; NULL only after -ENOMEM. Where
 * several fail, EACCES says more than ECONNREFUSED, and that more than ENOENT. */
int bal_client_open(struct bal_client **ret,
                    enum bal_socket which,
                    const char *option,
                    char **ret_path);

struct bal_client *bal_client_free(struct bal_client *c);
int bal_client_fd(const struct bal_client *c);       /* for poll(), next to the keyboard */
short bal_client_events(const struct bal_client *c); /* what to poll for */

/* Takes parameters, also on failure; NULL: none. Asks for more where the table allows it. Does not
 * block: what the socket does not take at once follows in bal_client_receive(). */
int bal_client_call(struct bal_client *c, enum bal_method m, json_t *parameters);

/* -EAGAIN: no whole message yet; -ECONNRESET: the daemon is gone; -EPROTO: not Varlink;
 * -EMSGSIZE: longer than BAL_REPLY_MAX. *ret is set only on success. */
int bal_client_receive(struct bal_client *c, struct bal_reply *ret);
void bal_reply_done(struct bal_reply *r);

/* The same, but the array parameters.KEY, which may be most of the message, stays text and is empty
 * in *ret. *ret_list: its text with the brackets, not looked into yet, valid until the next call
 * with this client; none where there is no such array. */
int bal_client_receive_list(struct bal_client *c,
                            const char *key,
                            struct bal_reply *ret,
                            struct scan_text *ret_list);

/* One call and its first reply, waiting at most timeout_ms (below 0: for ever). As
 * bal_client_receive(), and -ETIMEDOUT; afterwards the client is good for bal_client_free() only,
 * since the late reply would answer the next call. Takes parameters. */
int bal_client_request(struct bal_client *c,
                       enum bal_method m,
                       json_t *parameters,
                       int timeout_ms,
                       struct bal_reply *ret);

/* Waits until the daemon closes the connection, as it does when it ends; 0 or -ETIMEDOUT. */
int bal_client_wait_closed(struct bal_client *c, int timeout_ms);
