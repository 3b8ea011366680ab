/* SPDX-License-Identifier: MIT */
/*
 * core/log_events.h - every event there is, one row each; bal-logs(7) and docs/bal.catalog list
 * the same rows, and a test compares them.
 *
 * KEPT: each record is written. That is what changes of state need, what is asked for on purpose
 * (level debug, calls of the admin socket), and what is summed already. LIMITED: a token bucket
 * (core/log.h) holds back what is too much and counts it.
 *
 * The id is the MESSAGE_ID in the journal, and the key of the catalog's text. It never changes; a
 * new row gets one of its own from `systemd-id128 new`.
 */
#pragma once

/* clang-format off */
/* X(event, KEPT or LIMITED, id, help) */
#define LOG_EVENTS(X)                                                                              \
        X(daemon_starting, KEPT, "a56933925fed4534b7126560b982e73e",                               \
          "the process is up and reads its configuration")                                         \
        X(daemon_ready, KEPT, "2db0c11f16ce404fb222f42275d1823b",                                  \
          "listeners are open and workers run")                                                    \
        X(daemon_stopping, KEPT, "5609ea3f8de04d96b42aad70cd374a2b",                               \
          "a stop was asked for; sessions drain")                                                  \
        X(daemon_stopped, KEPT, "68b1bd91cc7f4953ad312d80783937f6",                                \
          "the last session is gone")                                                              \
        X(restart_unknown, KEPT, "e0662b4f7b764fdb86d6fefd687c8334",                               \
          "it is not known whether a stop is half of a restart")                              \
        X(config_created, KEPT, "9b77a257226041cca482d0516ce5769a",                                \
          "no configuration was found and a first one was written")                                \
        X(config_loaded, KEPT, "9aef68b8cddd41a496676697dc44eaa9",                                 \
          "a configuration is in force")                                                           \
        X(config_rejected, KEPT, "98da057c5a554d0087ecc4c9072eb210",                               \
          "a reload found errors; nothing changed")                                                \
        X(config_warning, KEPT, "75d571b7944c4df4b40941eac6e1e037",                                \
          "a warning of the configuration that was loaded")                                        \
        X(config_change, KEPT, "a066f47503f9426dabb5a55ae9d5f3d8",                                 \
          "one difference that a reload has put in force")                                         \
        X(config_watch, KEPT, "0bce7ca14c6042b7b459de6c286765f1",                                  \
          "changes of the configuration file are noticed from now on, or not")                     \
        X(config_gone, KEPT, "834e8091104e473d9590319e5d5915fb",                                   \
          "the configuration file is gone or cannot be read")                                      \
        X(config_watch_failed, KEPT, "9cc1d9655b5242f69575f8a8514b7882",                           \
          "the configuration file cannot be watched")                                              \
        X(listener_opened, KEPT, "721dcba2342146ed8a5e422f14aa4734",                               \
          "a listening socket was opened")                                                         \
        X(listener_closed, KEPT, "cecb97587eaf496fb798a7cf93f07ac3",                               \
          "a listening socket was closed")                                                         \
        X(listener_replaced, KEPT, "6baad8635402464eb11daa60f8c5b096",                             \
          "systemd has passed other addresses for a frontend than the file says")                  \
        X(socket_unused, KEPT, "12419bb255324c3db31c69a5c34da754",                                 \
          "a socket that systemd has passed is not used")                                          \
        X(socket_private, KEPT, "916c89cb04ff489b86dc16e6a5c1f4d8",                                \
          "a control socket is for its owner alone: bal may not give it to a group")               \
        X(limit_lowered, KEPT, "1722c399913b495cb9475e91af15eb23",                                 \
          "the descriptor limit does not carry the configured connections")                        \
        X(accept_paused, LIMITED, "1acadca3671f41e9a930f769a19205ad",                              \
          "out of descriptors or memory: a frontend waits before it accepts")                      \
        X(overload, KEPT, "8fdaf7e62e35441db9d371af303f78d7",                                      \
          "connections were turned away or timed out waiting")                                     \
        X(backend_state, KEPT, "96e311ac4b474369a45c05edc42843f6",                                 \
          "a backend changed between up, cooling, down, drain and maintenance")                    \
        X(backend_weight, KEPT, "cebcd5a6ada34e1a967270e4c0af9fe7",                                \
          "an operator has set the weight of a backend")                                           \
        X(backend_leaving, KEPT, "7713d98282864eeaad164b73e17e4ebe",                               \
          "a removed backend keeps its connections until they end")                                \
        X(backend_left, KEPT, "3ad4050cef3c4c92a7e11762cc86b7a1",                                  \
          "the last connection to a removed backend has ended")                                    \
        X(protection_on, KEPT, "f482c98e6d0649e9acd5a305c953b49c",                                 \
          "a pool fails as a whole; it is protected from more load")                               \
        X(protection_off, KEPT, "6e656457675342608b49ac5d5893a9a7",                                \
          "a protected pool works again")                                                          \
        X(hold_began, KEPT, "0fb54ae90f0b491a962fc2e181fbd6c1",                                    \
          "clients wait for a backend: none of their pool can take them")                          \
        X(hold_ended, KEPT, "16b79b80ca194b42b364408c22cee126",                                    \
          "the last client that waited for a backend of the pool was served or given up")          \
        X(check_result, KEPT, "a3d17cd7a75f4090b7dfa876232f3451",                                  \
          "one health check's result, at level debug")                                             \
        X(checks_skipped, KEPT, "42ef38b58b8c488290314832fb513af2",                                \
          "health checks could not be made, for a reason on this machine")                         \
        X(connect_errors, KEPT, "b61fcb48c998456882c40035f9cd4767",                                \
          "failed connects of one backend, summed over ten seconds")                               \
        X(sessions_failed, KEPT, "4c1faeebe5ee4f4f8a0452d7a5deda4c",                               \
          "clients that no backend served, summed over ten seconds")                               \
        X(machine_short, KEPT, "6ede9b0d62f5482b8ee4175bced884f7",                                 \
          "clients turned away for a shortage of this machine, summed over ten seconds")           \
        X(name_unresolved, LIMITED, "996a02213774434ea279899dd1f2f876",                            \
          "a backend's host name has no address")                                                  \
        X(name_resolved, LIMITED, "9b4ba8f12c4d4485900ce8b8c23b38cc",                              \
          "a backend's host name has new addresses")                                               \
        X(session_closed, KEPT, "5d4ddfce14154515a1d9a8f66dd24c69",                                \
          "one session's end, at level debug")                                                     \
        X(http_request, KEPT, "1c38bbcf4fee4262bd2a76c916b323a4",                               \
          "one HTTP request and its response, as access_log says")                                 \
        X(http_refused, LIMITED, "3e536d9c72384c8688263f215cc8a10d",                            \
          "a request that can be read in two ways, or breaks a limit, was refused")                \
        X(http_response_bad, LIMITED, "142836d0098843a8877339a33e1674f1",                       \
          "a backend's response was no good, or there was none")                                   \
        X(admin_call, KEPT, "449edc3ce8d847c8873c8ad21ab475c5",                                    \
          "somebody used the admin socket")                                                        \
        X(sessions_closed, KEPT, "a00e110c7ded417cad309e03baa1ae32",                               \
          "an operator closed connections")                                                        \
        X(metrics_listening, KEPT, "32a8c6735a164f2ca858ebab042a93ef",                             \
          "metrics are served at an address from now on, or no longer")                            \
        X(metrics_listen_failed, KEPT, "5492f525817846d4abf78f77356d2333",                         \
          "metrics cannot be served; bal runs on without them")                                    \
        X(log_reopened, KEPT, "8c4fd10c3bab48b9b40630d71edba6ee",                                  \
          "the log file was opened again")                                                         \
        X(log_dropped, KEPT, "74bf5d9541894ace8db921c0527ce5ce",                                   \
          "records are missing here: the log was read too slowly, or could not be written")        \
        X(log_failed, KEPT, "5e30b2fc032f496c8c853e19bff98be1",                                    \
          "the log cannot be written, and its records are lost until it can be")                   \
        X(log_suppressed, KEPT, "837a448d4fe64ece914cf4773b1fd46a",                                \
          "records of one event were left out because they came too often")                        \
        X(log_journal, KEPT, "3d8ad2a62f36473aaf682162f7e4f374",                                   \
          "the journal cannot be reached, or can be again")                                        \
        X(internal_error, LIMITED, "24128d293b9646ae8ac36b3f52295ac6",                             \
          "bal failed at something it should not fail at")
/* clang-format on */
