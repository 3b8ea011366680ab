/* SPDX-License-Identifier: MIT */
/* proxy/reasons.h - why sessions end: one table for enum, log word, status, metric label and
 * help. */
/* REASON(enum, word in log, status and metric, explanation) */
/* clang-format off */
REASON(CLOSE_DONE,           "done",            "both sides finished")
REASON(CLOSE_CLIENT_RESET,   "client_reset",    "the client reset the connection")
REASON(CLOSE_CLIENT_GONE,    "client_gone",     "the client left before it had its response")
REASON(CLOSE_SERVER_RESET,   "server_reset",    "the backend reset the connection")
REASON(CLOSE_IDLE,           "idle",            "no byte either way within the idle timeout")
REASON(CLOSE_CONNECT_FAILED, "connect_failed",  "every usable backend was tried, and the last one failed too")
REASON(CLOSE_NO_BACKEND,     "no_backend",      "no backend of the pool was usable")
REASON(CLOSE_LIMIT,          "max_connections", "a limit on connections was reached and overload_policy is reject")
REASON(CLOSE_QUEUE_TIMEOUT,  "queue_timeout",   "no slot became free within queue_timeout")
REASON(CLOSE_RESOURCES,      "resources",       "descriptors, buffers or memory were used up")
REASON(CLOSE_DRAINED,        "drained",         "the deadline of a drain or of maintenance was over")
REASON(CLOSE_MARKED_DOWN,    "marked_down",     "the backend was marked down, and on_marked_down is close")
REASON(CLOSE_ADMIN,          "admin",           "somebody closed it over the admin socket")
REASON(CLOSE_SHUTDOWN,       "shutdown",        "still open when the drain time was over")
/* clang-format on */
#undef REASON
