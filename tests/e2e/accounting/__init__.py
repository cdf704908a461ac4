"""Five hundred requests, and checks that every surface reports the same usage and cost for them.

- `scenarios`, `models` and `calls` define the requests and the configuration that serves them.
- `clients` sends the requests and keeps the responses.
- `expectations` and `prices` compute the expected rows of the spend log.
- `surfaces` and `metrics` compare the surfaces with each other.
"""
