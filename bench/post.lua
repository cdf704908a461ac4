-- The load of one measurement: POST requests with a body of BODY_BYTES. Writes its figures to standard
-- error as one line of JSON.
wrk.method = "POST"
wrk.path = "/bedrock/model/bench/converse"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("PROXY_KEY")
wrk.headers["Content-Type"] = "application/json"
local before, after = '{"messages":[{"role":"user","content":[{"text":"', '"}]}]}'
wrk.body = before .. string.rep("x", tonumber(os.getenv("BODY_BYTES")) - #before - #after) .. after

function done(summary, latency, _)
  local errors = summary.errors
  io.stderr:write(string.format(
    '{"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "failed": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
