-- SPDX-License-Identifier: MIT
-- What wrk has measured, as one JSON object on its last line.
done = function(summary, latency, requests)
    local e = summary.errors
    io.write(string.format('\n{"requests": %d, "us": %d, "bytes": %d, "p50_us": %d, "p99_us": %d, "errors": %d}\n',
        summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
        e.connect + e.read + e.write + e.status + e.timeout))
end
