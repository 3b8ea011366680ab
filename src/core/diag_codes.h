/* SPDX-License-Identifier: MIT */
/*
 * core/diag_codes.h - DIAG(id, title, explanation, wrong example, right example): every code there
 * is, once. To be included with DIAG defined, as often as needed; it is undefined at the end.
 *
 * A code is for ever: it is what people search for. A row may be reworded, its id never gets
 * another meaning, and a code that is not used any more leaves a hole.
 */

/* clang-format off */

/* The file and its text */
DIAG(E001, "the file cannot be read",
     "The file does not exist, this user may not read it, or it is not a regular\n"
     "file. bal looks at the file of -c, else at ~/.bal/config.yaml, else at\n"
     "/etc/bal/config.yaml.",
     "bal check -c /etc/bal/config.yml\n",
     "bal check -c /etc/bal/config.yaml\n")
DIAG(E002, "the file is too large",
     "A configuration has at most 4 MiB and 400000 keys and values. A larger one\n"
     "is most likely another file given by mistake.",
     "bal check -c /var/log/syslog\n",
     "bal check -c /etc/bal/config.yaml\n")
DIAG(E003, "the text is not UTF-8",
     "A configuration is UTF-8. Save the file in that encoding, or convert it:\n"
     "iconv -f ISO-8859-1 -t UTF-8 old.yaml > new.yaml. Files in UTF-16 are not\n"
     "read either.",
     "log_level: info   # caf\\xe9, saved as Latin-1\n",
     "log_level: info   # café, saved as UTF-8\n")
DIAG(E004, "a character that does not belong into a configuration",
     "NUL and other control characters, invisible line breaks (U+0085, U+2028,\n"
     "U+2029) and a byte order mark inside the text are refused, since people\n"
     "cannot see them. Tab, line feed and carriage return are the only control\n"
     "characters.",
     "bind_address: \"127.0.0.1\\0\"\n",
     "bind_address: \"127.0.0.1\"\n")
DIAG(E005, "the file has no content",
     "There is no key in the file, only blank lines or comments. The least that\n"
     "works is one backend.",
     "# nothing yet\n",
     "backends:\n  - host: \"127.0.0.1\"\n    port: 9000\n")
DIAG(E006, "the text is not YAML",
     "The structure of the text cannot be understood. Most often a colon, a quote\n"
     "or a space of the indentation is missing, in this line or in the one before\n"
     "it. Keys of one section stand in one column, a list item starts with '- ',\n"
     "and a colon is followed by a space.",
     "backends:\n  - host: \"10.20.0.11\"\n   port: 8080\n",
     "backends:\n  - host: \"10.20.0.11\"\n    port: 8080\n")
DIAG(E007, "a tab in the indentation",
     "YAML is indented with spaces; a tab has no agreed width. Set the editor to\n"
     "write spaces in .yaml files, or convert the file: expand -i -t 2 old.yaml >\n"
     "new.yaml.",
     "runtime:\n\ttcp_backlog: 512\n",
     "runtime:\n  tcp_backlog: 512\n")
DIAG(E008, "a quote is not closed",
     "The text that starts at the quote runs on over the end of its line, up to\n"
     "the next quote or to the end of the file. Each quoted value is closed in the\n"
     "line in which it starts.",
     "bind_address: \"127.0.0.1\nmethod: \"random\"\n",
     "bind_address: \"127.0.0.1\"\nmethod: \"random\"\n")
DIAG(E009, "a bracket is not closed",
     "A list in [ ] or a section in { } goes on where it should have ended. Inside\n"
     "of brackets entries are parted by commas.",
     "metrics: { enabled: false\nport: 9295\n",
     "metrics: { enabled: false }\nport: 9295\n")
DIAG(E010, "more than one document in the file",
     "A line '---' starts another YAML document; bal reads one. Two files pasted\n"
     "together look so.",
     "port: 9295\n---\nport: 9296\n",
     "port: 9295\n")
DIAG(E011, "anchors, aliases and merge keys are not used",
     "'&name' marks a value in YAML, '*name' and '<<' repeat it elsewhere. bal\n"
     "refuses them, so that every line says what it means and no small file grows\n"
     "large. In the full dialect health_check_defaults holds what pools share. A\n"
     "text that starts with & or * needs quotes.",
     "backends:\n  - &a { host: \"10.20.0.11\", port: 80 }\n  - *a\n",
     "backends:\n"
     "  - { host: \"10.20.0.11\", port: 80 }\n"
     "  - { host: \"10.20.0.12\", port: 80 }\n")
DIAG(E012, "nested too deep",
     "Sections and lists are nested at most 16 deep; the configuration itself\n"
     "needs 5.",
     "backends: [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]\n",
     "backends:\n  - { host: \"10.20.0.11\", port: 80 }\n")
DIAG(E013, "the file is not a section of keys",
     "The whole file is one section: lines of the form 'key: value'. A list or a\n"
     "single text is not.",
     "- host: \"10.20.0.11\"\n  port: 80\n",
     "backends:\n  - host: \"10.20.0.11\"\n    port: 80\n")

/* Keys */
DIAG(E014, "unknown key",
     "There is no such key in this section. It is an error and not ignored, since\n"
     "a typing error in a key would go live in silence. `bal config keys` lists\n"
     "all, bal-config(5) explains them. Only the historic key 'mode' at the top\n"
     "level passes, with a warning.",
     "backends:\n  - host: \"10.20.0.11\"\n    prot: 8080\n",
     "backends:\n  - host: \"10.20.0.11\"\n    port: 8080\n")
DIAG(E015, "a key is given twice",
     "The same key stands twice in one section. YAML tools silently take one of\n"
     "the two, and not all the same one; bal refuses. Both places are shown.",
     "port: 9295\nport: 9296\n",
     "port: 9296\n")
DIAG(E016, "wrong type",
     "The value is of another kind than the key wants: a text for a number, a list\n"
     "for a section, a number in quotes. Numbers are decimal digits without\n"
     "quotes, sign, point or exponent.",
     "port: \"9295\"\nruntime: 5\n",
     "port: 9295\nruntime: { tcp_backlog: 512 }\n")
DIAG(E017, "a key that is not a word",
     "A key is one word in front of a colon. YAML also allows lists and sections\n"
     "as keys; bal has none.",
     "? [port]\n: 9295\n",
     "port: 9295\n")
DIAG(E018, "tags are not used",
     "'!name' in front of a value is a YAML tag. bal takes types from its own\n"
     "table of keys, so that a tag could only contradict it. A text that starts\n"
     "with ! needs quotes.",
     "port: !!int \"9295\"\n",
     "port: 9295\n")
DIAG(E019, "both dialects in one file",
     "A file with the key 'frontends' is in the full dialect; port, bind_address,\n"
     "method, runtime and the like belong to the simple one. Each of them has its\n"
     "place in the full dialect, see bal-config(5).",
     "port: 9295\n"
     "frontends:\n"
     "  - { name: web, listen: \"0.0.0.0:80\", backend: web }\n"
     "backends:\n"
     "  - { name: web, servers: [ { address: \"10.20.0.11:80\" } ] }\n",
     "frontends:\n"
     "  - { name: web, listen: \"0.0.0.0:80\", backend: web }\n"
     "backends:\n"
     "  - { name: web, servers: [ { address: \"10.20.0.11:80\" } ] }\n")
DIAG(E020, "a required key is missing",
     "The section cannot do without this key; it has no default.",
     "backends:\n  - host: \"10.20.0.11\"\n",
     "backends:\n  - host: \"10.20.0.11\"\n    port: 8080\n")

/* Values */
DIAG(E021, "value out of range",
     "The number or duration is below the least or above the greatest value of\n"
     "this key. `bal config keys` and bal-config(5) list the ranges.",
     "runtime:\n  health_check_interval_ms: 0\n",
     "runtime:\n  health_check_interval_ms: 500\n")
DIAG(E022, "not one of the choices",
     "The key takes one of a few words, in lower case. The message lists them.",
     "method: roundrobin\n",
     "method: round_robin\n")
DIAG(E023, "not a duration",
     "A duration carries its unit: 100ms, 5s, 1m, 1h, or several of them as in\n"
     "1m30s. Only keys that end in _ms are plain numbers.",
     "drain_timeout: 30\n",
     "drain_timeout: 30s\n")
DIAG(E024, "neither true nor false",
     "A switch is true or false, in lower case and without quotes. yes, no, on and\n"
     "off mean different things to different YAML tools.",
     "watch: yes\n",
     "watch: true\n")
DIAG(E025, "a key without a value",
     "There is nothing behind the colon, or null or ~, which is the same. Give a\n"
     "value or remove the key; an empty section is written { }.",
     "port:\n",
     "port: 9295\n")
DIAG(E026, "an empty list",
     "The list needs at least one entry.",
     "backends: []\n",
     "backends:\n  - { host: \"10.20.0.11\", port: 80 }\n")
DIAG(E027, "too many entries",
     "Limits: 4096 backends in a pool, 256 pools, 64 frontends, 16 listen\n"
     "addresses each, 8 statuses or ranges in expected_status. Of protocol http: 64\n"
     "headers and 8 KiB of them each way, 64 trusted proxies, 256 routes, and in each\n"
     "of these 32 hosts, 16 methods and 16 headers.",
     "frontends: [ ... 65 frontends ... ]\n",
     "frontends: [ ... up to 64 frontends ... ]\n")
DIAG(E028, "not a name",
     "Names of frontends and pools consist of letters, digits, '.', '_' and '-'\n"
     "and have at most 64 characters, since they appear in metrics, logs and\n"
     "commands.",
     "frontends:\n  - name: \"my web servers\"\n",
     "frontends:\n  - name: my-web-servers\n")
DIAG(E029, "a name is given twice",
     "Two frontends or two pools have the same name; both places are shown.",
     "backends:\n"
     "  - { name: web, servers: [ ... ] }\n"
     "  - { name: web, servers: [ ... ] }\n",
     "backends:\n"
     "  - { name: web, servers: [ ... ] }\n"
     "  - { name: api, servers: [ ... ] }\n")
DIAG(E030, "no such pool",
     "The key 'backend' of a frontend names an entry of 'backends' at the top\n"
     "level.",
     "frontends:\n"
     "  - { name: web, listen: \"0.0.0.0:80\", backend: wbe }\n"
     "backends:\n"
     "  - { name: web, servers: [ ... ] }\n",
     "frontends:\n"
     "  - { name: web, listen: \"0.0.0.0:80\", backend: web }\n"
     "backends:\n"
     "  - { name: web, servers: [ ... ] }\n")
DIAG(E031, "not an address",
     "An address is IPv4, IPv6 (in brackets where a port follows), unix:/path, or\n"
     "for backends also a host name. Listeners take no names.",
     "frontends:\n  - listen: \"localhost:80\"\n",
     "frontends:\n  - listen: \"127.0.0.1:80\"\n")
DIAG(E032, "the port of an address is wrong",
     "The address needs a port from 1 to 65535 behind its last colon.",
     "frontends:\n  - listen: \"10.20.0.5:80800\"\n",
     "frontends:\n  - listen: \"10.20.0.5:8080\"\n")
DIAG(E033, "two listeners in one place",
     "Two listen addresses are the same, or one covers the other: 0.0.0.0 and [::]\n"
     "take a port on every address, and [::] takes it for IPv4 too. The second\n"
     "could not be opened. The address of the metrics counts as well.",
     "frontends:\n  - listen: [ \"0.0.0.0:80\", \"127.0.0.1:80\" ]\n",
     "frontends:\n  - listen: \"0.0.0.0:80\"\n")
DIAG(E034, "a backend is given twice",
     "The same host and port stands twice in one pool. To send it more sessions\n"
     "give it a weight.",
     "backends:\n"
     "  - { host: \"10.20.0.11\", port: 80 }\n"
     "  - { host: \"10.20.0.11\", port: 80 }\n",
     "backends:\n  - { host: \"10.20.0.11\", port: 80, weight: 2 }\n")
DIAG(E035, "a backend that is bal itself",
     "The backend's address is one on which the same frontend listens, so each\n"
     "session would go round in a circle until all descriptors are used up.",
     "port: 9295\nbackends:\n  - { host: \"127.0.0.1\", port: 9295 }\n",
     "port: 9295\nbackends:\n  - { host: \"127.0.0.1\", port: 9000 }\n")
DIAG(E036, "not an HTTP status",
     "expected_status is one status from 100 to 599, a range of them with the\n"
     "smaller one first and without blanks, or up to 8 of these: as a list, or as\n"
     "one text with commas. Forms like 2xx are not known; write 200-299. Inside of\n"
     "{ } a text with commas needs quotes.",
     "health_check: { type: http, expected_status: [ 2xx, 399-300 ] }\n",
     "health_check: { type: http, expected_status: [ 200-299, 304 ] }\n")
DIAG(E037, "a value is given in two places",
     "The keys health_check.* of the simple dialect and runtime.health_check_* set\n"
     "the same values. Use one of the two for each.",
     "runtime: { health_check_interval_ms: 500 }\nhealth_check: { interval: 1s }\n",
     "health_check: { interval: 1s }\n")
DIAG(E038, "a key that does not fit the others",
     "The key has no meaning beside the other values of its section: a port for a\n"
     "Unix socket, a path for a health check that is not of type http, a second way\n"
     "to compare the path in a route, a value for a header that is removed.",
     "backends:\n  - { host: \"unix:/run/app.sock\", port: 80 }\n",
     "backends:\n  - { host: \"unix:/run/app.sock\" }\n")
DIAG(E039, "two values contradict each other",
     "The greatest back-off may not be below the first one. The first line of a\n"
     "request and all its headers may be at most 48k large together, since bal holds\n"
     "a head in one buffer, with what it adds.",
     "runtime:\n  failover_backoff_initial_ms: 9000\n  failover_backoff_max_ms: 5000\n",
     "runtime:\n  failover_backoff_initial_ms: 200\n  failover_backoff_max_ms: 5000\n")
DIAG(E041, "a value over several lines",
     "Every value of bal's stands in one line; the forms with | and > and texts\n"
     "that run on in the next line are refused, since most often the next line was\n"
     "meant to be a key.",
     "health_check:\n  type: none\n  host: web\n    .example\n",
     "health_check:\n  type: http\n  host: web.example\n")
DIAG(E042, "a text that cannot be used here",
     "The text is too long, or has characters that this key does not allow: a path\n"
     "of a request starts with '/' and has no blanks, its host is a name without\n"
     "scheme and path, a header's name is a word, a method is in upper case, and a\n"
     "redirect goes to '/', or to https:// and a host.",
     "health_check: { type: http, path: \"health check\" }\n",
     "health_check: { type: http, path: \"/health-check\" }\n")

DIAG(E043, "settings of protocol http beside protocol tcp",
     "With protocol tcp, which is the default, bal carries bytes and does not look\n"
     "into them: it can set no header and follow no route. To ignore the settings\n"
     "would be dangerous where they keep somebody out, so this is an error.",
     "http: { response_headers: { X-Frame-Options: DENY } }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n",
     "protocol: http\n"
     "http: { response_headers: { X-Frame-Options: DENY } }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n")
DIAG(E044, "a variable that has no value",
     "In the values of headers and in the target of a redirect $client_ip,\n"
     "$client_port, $backend_name, $backend_addr, $request_id, $host and $uri stand\n"
     "for what they say. $$ is the character itself. A redirect goes to no backend,\n"
     "so it has none to name.",
     "protocol: http\n"
     "http: { request_headers: { X-Real-IP: $remote_addr } }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n",
     "protocol: http\n"
     "http: { request_headers: { X-Real-IP: $client_ip } }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n")
DIAG(E045, "a header that bal itself answers for",
     "Headers like Content-Length, Transfer-Encoding and Connection say where a\n"
     "message ends and how it goes over one connection. bal writes them from what it\n"
     "has understood; another value would let two servers understand a message\n"
     "differently. Host may be set in requests, but neither added nor removed.",
     "protocol: http\n"
     "http: { request_headers: { Connection: close } }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n",
     "protocol: http\n"
     "http: { backend_keep_alive: 0s }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n")
DIAG(E046, "not a network",
     "trusted_proxies is a list of IPv4 and IPv6 addresses, of networks with the\n"
     "length of their prefix, and of unix: for clients over a Unix socket. Bits\n"
     "behind the prefix must be 0, so that nobody is trusted by mistake. Names are\n"
     "not looked up.",
     "protocol: http\n"
     "http: { trusted_proxies: [ 10.20.0.5/24 ] }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n",
     "protocol: http\n"
     "http: { trusted_proxies: [ 10.20.0.0/24, \"::1\", \"unix:\" ] }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n")
DIAG(E047, "not a size",
     "A size is a number of bytes, or a number with k, m or g behind it, which are\n"
     "1024 bytes, 1024k and 1024m. No blanks, points or other units.",
     "protocol: http\n"
     "http: { max_body_bytes: 1.5GB }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n",
     "protocol: http\n"
     "http: { max_body_bytes: 1536m }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n")
DIAG(E048, "an error page cannot be read",
     "The files of error_pages are read together with the configuration, at most\n"
     "16 KiB each. A path without '/' in front starts at the folder of the\n"
     "configuration file. The user that bal runs as must be able to read them.",
     "protocol: http\n"
     "http: { error_pages: { 503: no-such-folder/503.html } }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n",
     "protocol: http\n"
     "http: { error_pages: { 503: /etc/bal/503.html } }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n")
DIAG(E049, "a route that does not say one thing to do",
     "A route sends requests to a pool (backend), sends the client elsewhere\n"
     "(redirect), or answers itself (respond): one of the three.",
     "protocol: http\n"
     "routes:\n  - { path_prefix: /old/ }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n",
     "protocol: http\n"
     "routes:\n  - { path_prefix: /old/, respond: { status: 410 } }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n")

/* Warnings */
DIAG(W001, "a historic key without meaning",
     "'mode' was used by earlier versions. It is accepted and ignored.",
     "mode: \"advanced\"\n",
     "# no mode\n")
DIAG(W003, "bind_address listens on every interface",
     "0.0.0.0 and :: accept connections on all addresses of this machine, also on\n"
     "public ones. That may be what is wanted; then a firewall should decide who\n"
     "gets through.",
     "bind_address: 0.0.0.0\n",
     "bind_address: 127.0.0.1\n")
DIAG(W004, "a pool that nobody uses",
     "No frontend names this pool, so its backends get no sessions. They are\n"
     "checked all the same.",
     "frontends:\n"
     "  - { name: web, listen: \"0.0.0.0:80\", backend: web }\n"
     "backends:\n"
     "  - { name: web, servers: [ ... ] }\n"
     "  - { name: old, servers: [ ... ] }\n",
     "frontends:\n"
     "  - { name: web, listen: \"0.0.0.0:80\", backend: web }\n"
     "backends:\n"
     "  - { name: web, servers: [ ... ] }\n")
DIAG(W006, "no backend takes sessions",
     "All backends of the pool have weight 0. Each client is turned away until a\n"
     "weight is raised.",
     "backends:\n  - { host: \"10.20.0.11\", port: 80, weight: 0 }\n",
     "backends:\n  - { host: \"10.20.0.11\", port: 80, weight: 1 }\n")
DIAG(W007, "all backends are backups",
     "Backups are used when no other backend is usable. With nothing but backups\n"
     "they always are, so the mark says nothing.",
     "backends:\n  - { host: \"10.20.0.11\", port: 80, backup: true }\n",
     "backends:\n  - { host: \"10.20.0.11\", port: 80 }\n")
DIAG(W008, "a backend that is another frontend of bal",
     "The pool sends sessions to an address on which another frontend of this file\n"
     "listens. They cross bal twice, and two such frontends can form a circle.",
     "frontends:\n"
     "  - { name: a, listen: \"127.0.0.1:80\", backend: p }\n"
     "  - { name: b, listen: \"127.0.0.1:81\", backend: q }\n"
     "backends:\n"
     "  - { name: p, servers: [ { address: \"127.0.0.1:81\" } ] }\n"
     "  - { name: q, servers: [ { address: \"127.0.0.1:9000\" } ] }\n",
     "frontends:\n"
     "  - { name: a, listen: \"127.0.0.1:80\", backend: q }\n"
     "backends:\n"
     "  - { name: q, servers: [ { address: \"127.0.0.1:9000\" } ] }\n")
DIAG(W009, "more connections than the descriptors carry",
     "Every connection needs two descriptors, and RLIMIT_NOFILE of the process that\n"
     "starts bal says how many there are. With fewer, bal enforces a lower limit than\n"
     "the file asks for. `bal check --verbose` looks at the limits of the shell it\n"
     "runs in; a service has its own (LimitNOFILE=).",
     "runtime:\n  max_concurrent_connections: 100000   # with ulimit -n 1024\n",
     "runtime:\n  max_concurrent_connections: 100000   # with LimitNOFILE=201000\n")
DIAG(W010, "on_marked_down without health checks",
     "on_marked_down: close ends the sessions of a backend when health checks mark\n"
     "it down. With a check of type none nothing is ever marked down: a backend\n"
     "whose connects fail rests for a while, and its sessions go on.",
     "health_check: { type: none }\n"
     "runtime: { on_marked_down: close }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 5432 }\n",
     "health_check: { type: tcp, unhealthy_threshold: 2 }\n"
     "runtime: { on_marked_down: close }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 5432 }\n")
DIAG(W011, "slow_start where one backend gets everything",
     "slow_start lets a backend that comes back grow to its share bit by bit. The\n"
     "method 'first' knows no shares: the first usable backend gets every session,\n"
     "so one that comes back has all of the load at once.",
     "method: first\n"
     "runtime: { slow_start_ms: 10000 }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 5432 }\n",
     "method: least_connections\n"
     "runtime: { slow_start_ms: 10000 }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 5432 }\n")
DIAG(W012, "a single failed check closes all sessions of a backend",
     "on_marked_down: close ends the sessions of a backend that is marked down, and\n"
     "with unhealthy_threshold 1 one lost packet is enough for that. In the simple\n"
     "dialect 1 is the default as soon as the section runtime is there. Give the\n"
     "threshold a value; also 1, if that is what is wanted.",
     "runtime: { on_marked_down: close }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 5432 }\n",
     "health_check: { unhealthy_threshold: 3 }\n"
     "runtime: { on_marked_down: close }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 5432 }\n")
DIAG(W013, "a route that never matches",
     "The first route that fits a request is taken. An earlier route fits whatever\n"
     "this one would: it asks for less, or for the same.",
     "protocol: http\n"
     "routes:\n"
     "  - { path_prefix: /a, respond: { status: 404 } }\n"
     "  - { path: /admin, respond: { status: 403 } }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n",
     "protocol: http\n"
     "routes:\n"
     "  - { path: /admin, respond: { status: 403 } }\n"
     "  - { path_prefix: /a, respond: { status: 404 } }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n")
DIAG(W014, "passive checks where they see nothing",
     "health_check.passive takes a backend out that fails HTTP requests in a row.\n"
     "With protocol tcp bal sees no responses.",
     "health_check: { passive: true }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n",
     "protocol: http\n"
     "health_check: { passive: true }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n")
DIAG(W015, "everybody is a trusted proxy",
     "0.0.0.0/0 and ::/0 in trusted_proxies let every client say in its\n"
     "X-Forwarded-For header which address it has. Logs, $client_ip and whatever the\n"
     "backends decide by it are then the client's to choose. List the proxies that\n"
     "stand before bal.",
     "protocol: http\n"
     "http: { trusted_proxies: 0.0.0.0/0 }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n",
     "protocol: http\n"
     "http: { trusted_proxies: 10.20.0.0/24 }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 8080 }\n")
DIAG(W016, "connect_deadline below connect_timeout or hold",
     "connect_deadline is the longest wait for a connect that is slow, where no other\n"
     "backend is left. A connect has connect_timeout in any case, and while its client\n"
     "waits for a backend, as hold says, a slow connect stays open, too. So a\n"
     "connect_deadline that is shorter than one of them has no effect.",
     "runtime: { backend_connect_timeout_ms: 3000, connect_deadline_ms: 2000 }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 5432 }\n",
     "runtime: { backend_connect_timeout_ms: 1000, connect_deadline_ms: 10000 }\n"
     "backends:\n  - { host: \"10.20.0.11\", port: 5432 }\n")
/* clang-format on */
#undef DIAG
