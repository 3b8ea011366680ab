/* SPDX-License-Identifier: MIT */
/*
 * control/metrics_families.h - every family of the metrics, one row each, in the order in which
 * they are written. bal(8) lists the same names, and a test compares them.
 *
 * A counter's name stands here without its _total. What only one instance could tell apart (a
 * client, a path) is no label: it would make series without end.
 */
#pragma once

/* clang-format off */
/* X(function that writes its samples, name, type, help) */
#define METRICS_FAMILIES(X)                                                                        \
        X(build_info, "bal_build_info", GAUGE,                                                     \
          "1, with the version and the revision that runs.")                                       \
        X(reload_ok, "bal_config_last_reload_successful", GAUGE,                                   \
          "1 when the newest reload of the configuration worked, 0 when it was rejected.")         \
        X(reload_time, "bal_config_last_reload_success_timestamp_seconds", GAUGE,                  \
          "When the configuration in force was loaded, in seconds since the epoch.")               \
        X(reloads, "bal_config_reloads", COUNTER,                                                  \
          "Reloads of the configuration, by how they ended.")                                      \
        X(frontend_active, "bal_frontend_connections_active", GAUGE,                               \
          "Connections of clients that are served now.")                                           \
        X(frontend_limit, "bal_frontend_connections_limit", GAUGE,                                 \
          "So many are served at a time: the limit of the frontend or of the whole daemon.")       \
        X(frontend_total, "bal_frontend_connections", COUNTER,                                     \
          "Connections of clients that were accepted.")                                            \
        X(frontend_rejected, "bal_frontend_connections_rejected", COUNTER,                         \
          "Connections, or HTTP requests, that were turned away: at a limit, because no backend "  \
          "served them, or likewise while the pool was protected.")                                \
        X(accept_pauses, "bal_accept_pauses", COUNTER,                                             \
          "How often a worker has let clients wait because descriptors or memory were short.")     \
        X(connect_duration, "bal_frontend_connect_duration_seconds", HISTOGRAM,                    \
          "Time from the choice of a backend until it was connected.")                             \
        X(frontend_waiting, "bal_frontend_waiting", GAUGE,                                         \
          "Clients that wait now: for a slot, for a full backend, or for one that can take them.") \
        X(wait_duration, "bal_frontend_wait_duration_seconds", HISTOGRAM,                          \
          "Time that connections or HTTP requests which had to wait waited for a slot or backend.")\
        X(waits_failed, "bal_frontend_waits_failed", COUNTER,                                      \
          "Connections, or HTTP requests, that waited in vain, by how that ended.")                \
        X(backend_up, "bal_backend_up", GAUGE,                                                     \
          "1 when the backend gets new connections, 0 in every state but up.")                     \
        X(backend_weight, "bal_backend_weight", GAUGE,                                             \
          "The weight in force; 0 gets no new connections.")                                       \
        X(backend_state, "bal_backend_state", GAUGE,                                               \
          "1 for the state that the backend is in, 0 for all others.")                             \
        X(backend_active, "bal_backend_connections_active", GAUGE,                                 \
          "Connections to the backend now, those that are being made included.")                   \
        X(backend_idle, "bal_backend_connections_idle", GAUGE,                                     \
          "Idle connections that are kept to the backend for the next requests.")                  \
        X(backend_total, "bal_backend_connections", COUNTER,                                       \
          "Connections that the backend was chosen for.")                                          \
        X(backend_errors, "bal_backend_connect_errors", COUNTER,                                   \
          "Connects to the backend that failed, and sessions that it closed without a byte.")      \
        X(backend_received, "bal_backend_received_bytes", COUNTER,                                 \
          "Bytes that the backend has sent to clients.")                                           \
        X(backend_sent, "bal_backend_sent_bytes", COUNTER,                                         \
          "Bytes of clients that were sent to the backend.")                                       \
        X(backend_changes, "bal_backend_state_changes", COUNTER,                                   \
          "How often health checks have marked the backend up or down.")                           \
        X(backend_checks, "bal_backend_health_checks", COUNTER,                                    \
          "Health checks of the backend, by how they ended.")                                      \
        X(check_duration, "bal_backend_health_check_duration_seconds", GAUGE,                      \
          "How long the newest health check took; absent before the first.")                       \
        X(http_requests, "bal_http_requests", COUNTER,                                             \
          "HTTP requests that have ended, by method and class of status; without a pool: bal "     \
          "has answered itself.")                                                                  \
        X(http_duration, "bal_http_request_duration_seconds", HISTOGRAM,                           \
          "Time from the head of an HTTP request to the end of its response.")                     \
        X(protection_active, "bal_protection_mode_active", GAUGE,                                  \
          "1 while the pool is protected.")                                                        \
        X(protection_activations, "bal_protection_mode_activations", COUNTER,                      \
          "How often protection was switched on, by the reason for it.")                           \
        X(pool_holding, "bal_pool_holding", GAUGE,                                                 \
          "Clients that are held now because no backend of the pool can take them.")               \
        X(pool_held, "bal_pool_held", COUNTER,                                                     \
          "Clients that were held.")                                                               \
        X(pool_held_in_vain, "bal_pool_held_in_vain", COUNTER,                                     \
          "Clients that were held and got no backend, or left.")                                   \
        X(log_messages, "bal_log_messages", COUNTER,                                               \
          "Records of the log.")                                                                   \
        X(log_dropped, "bal_log_messages_dropped", COUNTER,                                        \
          "Records of the log that were lost, or held back because there were too many.")          \
        X(log_failed, "bal_log_failed", GAUGE,                                                     \
          "1 while the log cannot be written and its records are lost.")                           \
        X(process_start, "process_start_time_seconds", GAUGE,                                      \
          "When the process was started, in seconds since the epoch.")                             \
        X(process_open_fds, "process_open_fds", GAUGE,                                             \
          "Open file descriptors.")                                                                \
        X(process_max_fds, "process_max_fds", GAUGE,                                               \
          "The most file descriptors that the process may open.")                                  \
        X(process_resident, "process_resident_memory_bytes", GAUGE,                                \
          "Resident memory.")                                                                      \
        X(process_cpu, "process_cpu_seconds", COUNTER,                                             \
          "CPU time in user and kernel mode.")
/* clang-format on */
