/* SPDX-License-Identifier: MIT */
/* net/sock.h - making sockets the way bal wants them: non-blocking, close-on-exec, tuned.
 * tcp(7). */
#pragma once

#include "net/addr.h"

/* How long a peer that went away without a word keeps its session, both legs. */
#define SOCK_KEEPALIVE_IDLE_S 60    /* silence before the first probe */
#define SOCK_KEEPALIVE_EACH_S 15    /* between probes */
#define SOCK_KEEPALIVE_PROBES 5     /* unanswered, where there is no user timeout */
#define SOCK_USER_TIMEOUT_MS  90000 /* sent and not acknowledged, or probes unanswered */

/* But TCP_USER_TIMEOUT also ends a connection to a living peer that does not read for so long: it
 * cannot tell a closed window from a dead host. So nobody's is shorter than the idle timeout, which
 * ends such a session with its proper name. Above 15 minutes there is none: by then the kernel has
 * given up repeating (tcp_retries2), and a longer one would only hold up what keep-alive knows
 * after 135 s. Also on a listening socket, for what it accepts from now on. */
#define SOCK_USER_TIMEOUT_MAX_MS 900000
void sock_set_user_timeout(int fd, uint32_t idle_timeout_ms);

/* Keep-alive and a user timeout, for a connection that sock_connect() has made. Only one that lives
 * needs them, and silence counts from its last packet whenever that is asked for: so a session of
 * milliseconds does not pay the calls. */
void sock_keep_alive(int fd, uint32_t idle_timeout_ms);

/* A bound, listening socket. Accepted sockets inherit its options, so accept costs no setsockopt().
 * "::" takes IPv4 too; other IPv6 addresses do not. A Unix socket's file is replaced if nobody
 * answers on it. 0; -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, ... of bind(2). */
int sock_listen(int *ret, const struct addr *a, unsigned backlog);

/* As a backlog, here and below: would it succeed? Nobody notices: what is bound and does not listen
 * refuses connects, and no file is made or removed. *ret keeps the address and the descriptor taken
 * until it is closed. */
#define SOCK_TRY 0u
int sock_try_listen(const struct addr *a); /* the same, and closes it */

/* As sock_listen() while own sockets stand in the way: "0.0.0.0:80" shall replace "10.0.0.1:80".
 * For the moment of the bind these and the new one share the port (SO_REUSEPORT). Afterwards they
 * do not, but the kernel remembers for as long as the port is in use: a process of the same user
 * that asks for SO_REUSEPORT may still join, and take connections. One that does not ask is
 * refused. */
int sock_listen_beside(int *ret,
                       const struct addr *a,
                       unsigned backlog,
                       const int *own,
                       size_t n_own);

/* A listening socket that somebody else has made: it gets the options that sock_listen() gives, and
 * *ret its address. 0; -ENOTSOCK, -EPROTOTYPE: not of streams, -EINVAL: it does not listen,
 * -EAFNOSUPPORT. */
int sock_adopt(int fd, struct addr *ret);
bool sock_takes_ipv4(int fd); /* an IPv6 one, bound to "::": does it take IPv4, too? */

/* No Nagle. What is sent first does not wait for anything, so it is soon enough before the second
 * send() on a connection that sock_connect() has made. */
void sock_no_delay(int fd);

/* A socket that is connecting; sock_no_delay() and sock_keep_alive() are yours to call. Each option
 * is a call that every session pays. 0: connected already; -EINPROGRESS: *ret is set too, wait for
 * EPOLLOUT and ask sock_error(); else a negative errno, and *ret is untouched. -EADDRNOTAVAIL: this
 * machine has no source port, or no source address, for that destination. */
int sock_connect(int *ret, const struct addr *a);

/* What arrives is acknowledged by the next bytes that go the other way: a packet less where these
 * come soon. From a listening socket what it accepts inherits it. Else the kernel sends the ACK
 * after 40 to 200 ms, for which a sender with Nagle's algorithm waits before it says the rest. So
 * with nothing to send within a moment sock_ack_now() does, and until bytes go out the next ones
 * are acknowledged at once. tcp(7), TCP_QUICKACK.
 *
 * sock_connect() makes use of it: the last ACK of the handshake rides on the first bytes, and a
 * server that speaks first (MySQL, SMTP, SSH) waits for it. */
void sock_ack_late(int fd, bool late);
void sock_ack_now(int fd);

/* The reason a connect failed, or 0 if it did not: SO_ERROR. */
int sock_error(int fd);

/* close() will reset the connection instead of ending it (SO_LINGER, socket(7)). */
void sock_reset_at_close(int fd);

/* Did a TCP socket connect to itself? Whoever keeps knocking at a dead port of this machine picks
 * it as his own source port some day, and the kernel joins the two ends (a simultaneous open). */
bool sock_met_itself(int fd);

/* Hides a listening TCP socket: new connects do not find it any more and are refused, or go to
 * another socket that has the port, while handshakes under way may end and the queue can be read.
 * It is bound to a network device that does not exist (SO_BINDTOIFINDEX, Linux 5.1), which needs no
 * privilege. What it accepted and still accepts is not bound to anything. For what comes before
 * close(), which would reset the queue: see control/listeners.c. */
int sock_hide(int fd);

/* The errors of accept4(2), sorted. */
enum sock_accept { SOCK_ACCEPT_AGAIN, SOCK_ACCEPT_NEXT, SOCK_ACCEPT_PAUSE };
enum sock_accept sock_accept_verdict(int r); /* r: negative errno */
