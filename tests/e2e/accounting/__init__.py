"""Five hundred requests, and what each place that reports usage or cost must say about them.

- `scenarios`, `models` and `requests` define what is sent.
- `clients` sends it and keeps what came back.
- `expectations` and `prices` compute the expected spend log.
- `surfaces` and `metrics` compare the places with each other.
"""
