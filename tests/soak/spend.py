"""Compares the spend log with what the clients sent: one row for every request, and no others."""

import collections
import dataclasses

from load import Exchange
from verdict import KILL

# Envoy writes buffered rows at least this often.
FLUSH_SECONDS = 10
CONNECTION_FAILURES = ("ConnectionRefusedError", "ConnectError", "EndpointConnectionError")


@dataclasses.dataclass
class Comparison:
    """What the rows say about the exchanges."""

    rows: int
    missing: list
    twice: list
    unknown: list
    different: list
    # Requests whose rows died with Envoy, by the time of the kill.
    lost: dict
    # How long before its kill the oldest lost request had ended, in seconds.
    oldest_lost: float


def compare(exchanges: list, rows: list, windows: list) -> Comparison:
    sent = {exchange.id: exchange for exchange in exchanges}
    counts = collections.Counter(row.get("request_id") for row in rows)
    kills = [window.started for window in windows if window.cause == KILL]
    missing, lost, oldest = [], collections.Counter(), 0.0
    for exchange in exchanges:
        if counts[exchange.id] or not reached(exchange):
            continue
        kill = killed_with(exchange, kills)
        if kill is None:
            missing.append(exchange.id)
        else:
            lost[kill] += 1
            oldest = max(oldest, kill - exchange.ended)
    return Comparison(
        rows=len(rows),
        missing=missing,
        twice=[id for id, count in counts.items() if count > 1 and id in sent],
        unknown=[
            row.get("request_id")
            for row in rows
            if row.get("request_id") not in sent and row.get("call_type") != "internal"
        ],
        different=[
            difference
            for row in rows
            if (exchange := sent.get(row.get("request_id")))
            and (difference := difference_between(exchange, row))
        ],
        lost=dict(lost),
        oldest_lost=oldest,
    )


def reached(exchange: Exchange) -> bool:
    """Whether Envoy can have received the request."""
    return not (exchange.problem or "").startswith(CONNECTION_FAILURES)


def killed_with(exchange: Exchange, kills: list) -> float | None:
    """The kill that may have taken the row of this request with it."""
    for kill in kills:
        if exchange.started <= kill + 1 and exchange.ended >= kill - FLUSH_SECONDS - 1:
            return kill
    return None


def difference_between(exchange: Exchange, row: dict) -> str | None:
    if exchange.problem or exchange.left:
        return None
    expected = (exchange.status, exchange.region)
    found = (row["http_status"], row.get("model_region"))
    if expected == found or (exchange.region is None and expected[0] == found[0]):
        return None
    return f"{exchange.id}: the client saw {expected}, the row has {found}"
