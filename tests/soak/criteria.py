"""What must hold at the end of a soak."""

import dataclasses
import statistics

import emulator as bedrock
import memory
import spend
import verdict
from load import Exchange
from phases import KILLS, LONG_MINUTES_MIN, UPLOADS
from storms import KILL_SECONDS
from verdict import KILL

# An idle gateway after a phase, compared with an idle gateway after the warm-up.
IDLE_GROWTH_MAX = 0.05
# The trend of the second half, and its highest sample above its median.
SLOPE_MAX_MIB = 0.5
PEAK_MAX = 0.10
APPLIED_SECONDS_MAX = 2.0
# A trend of less than this is noise.
TREND_SECONDS_MIN = 120
EXAMPLES = 3
RECEIVED = "http.gateway.downstream_rq_total"
REQUESTS = "wasmcustom.envoy_bedrock_requests_total"


@dataclasses.dataclass(frozen=True)
class Criterion:
    """`found` says what was measured, in words. A short soak cannot judge everything."""

    name: str
    holds: bool | None
    found: str


@dataclasses.dataclass
class Judgement:
    criteria: list
    # Why each exchange with a problem had one: `None` if nothing explains it.
    causes: dict
    spend: spend.Comparison


def counters_of(gateway) -> dict:
    """Counters of the Envoy that runs now: each starts at zero."""
    stats = gateway.stats(f"^{RECEIVED}$|{REQUESTS}")
    return {
        "received": stats.get(RECEIVED, 0),
        "admitted": sum(value for name, value in stats.items() if REQUESTS in name),
    }


def judge(soak, counters: dict, rows: list, journal) -> Judgement:
    exchanges = soak.load.exchanges
    attempts = verdict.attempts_of(journal, bedrock.is_wrong)
    causes = {
        exchange.id: verdict.explanation(exchange, attempts.get(exchange.id, []), soak.windows)
        for exchange in exchanges
        if exchange.problem
    }
    compared = spend.compare(exchanges, rows, soak.windows)
    criteria = [
        no_unexplained_error(exchanges, causes),
        every_request_has_a_row(compared),
        only_sent_requests_have_rows(compared),
        rows_agree_with_clients(compared),
        upstream_requests_are_signed(attempts),
        counters_agree(exchanges, causes, rows, counters, soak.windows),
        no_complaint(soak.failures),
        no_vm_leaks(soak.finished),
    ]
    if soak.recoveries:
        criteria.append(recoveries_are_fast(exchanges, causes, soak))
    if soak.applied:
        criteria.append(changes_apply_soon(soak.applied))
    criteria += idle_memory(soak.finished, soak.minutes >= LONG_MINUTES_MIN)
    if second := second_half(soak):
        criteria.append(memory_is_flat(second))
    return Judgement(criteria, causes, compared)


# Requests.


def no_unexplained_error(exchanges: list, causes: dict) -> Criterion:
    unexplained = [each for each in exchanges if each.problem and causes[each.id] is None]
    return Criterion(
        "no client sees an error that nothing explains",
        not unexplained,
        f"{len(exchanges):,} requests, {len(causes):,} problems, "
        f"{len(unexplained):,} unexplained{examples(unexplained)}",
    )


def every_request_has_a_row(compared: spend.Comparison) -> Criterion:
    lost = sum(compared.lost.values())
    died = (
        f"; {lost:,} rows died with Envoy in {len(compared.lost)} kills, the oldest "
        f"{compared.oldest_lost:.1f} s after its request had ended"
        if lost
        else ""
    )
    return Criterion(
        "every request has a spend row, except what a killed Envoy had not written",
        not compared.missing,
        f"{compared.rows:,} rows, {len(compared.missing):,} missing{examples(compared.missing)}"
        + died,
    )


def only_sent_requests_have_rows(compared: spend.Comparison) -> Criterion:
    found = compared.twice + compared.unknown
    return Criterion(
        "no row appears twice or belongs to a request that nobody sent",
        not found,
        f"{len(compared.twice):,} twice, {len(compared.unknown):,} unknown{examples(found)}",
    )


def rows_agree_with_clients(compared: spend.Comparison) -> Criterion:
    return Criterion(
        "status and region in the rows are those that the clients saw",
        not compared.different,
        f"{len(compared.different):,} differ{examples(compared.different)}",
    )


def upstream_requests_are_signed(attempts: dict) -> Criterion:
    everything = [attempt for each in attempts.values() for attempt in each]
    wrong = [attempt for attempt in everything if attempt.is_wrong]
    return Criterion(
        "every request to Bedrock is correctly signed and clean",
        bool(everything) and not wrong,
        f"{len(everything):,} attempts, {len(wrong):,} wrong{examples(wrong)}",
    )


def counters_agree(exchanges, causes, rows, counters, windows) -> Criterion:
    """Since the last kill, Envoy counts from zero.

    A request that was open at the kill and was served may have reached the new Envoy.
    """
    since = max((window.started for window in windows if window.cause == KILL), default=0.0)
    recent = {
        each.id
        for each in exchanges
        if each.started > since and spend.reached(each) and causes.get(each.id) != KILL
    }
    admitted = sum(
        row.get("call_type") not in (None, "internal")
        for row in rows
        if row.get("request_id") in recent
    )
    expected = {"received": len(recent), "admitted": admitted}
    unclear = sum(each.started <= since < each.ended and not each.problem for each in exchanges)
    return Criterion(
        "Envoy's counters are those of the clients and of the rows",
        all(0 <= counters[name] - expected[name] <= unclear for name in expected),
        f"received {counters['received']:,}, sent {expected['received']:,}; "
        f"admitted {counters['admitted']:,}, rows {expected['admitted']:,}; "
        f"{unclear:,} served requests were open at the last kill",
    )


def no_complaint(failures: list) -> Criterion:
    return Criterion(
        "every storm ends as it should",
        not failures,
        f"{len(failures):,} did not{examples(failures)}",
    )


def recoveries_are_fast(exchanges, causes, soak) -> Criterion:
    kills = [window for window in soak.windows if window.cause == KILL]
    late = [
        each
        for each in exchanges
        if each.problem
        and causes[each.id] is None
        and any(0 < each.started - kill.started < KILL_SECONDS for kill in kills)
    ]
    return Criterion(
        "a second after Envoy was killed, every new request is served",
        not late,
        f"first response after {', '.join(f'{each:.2f}' for each in soak.recoveries)} s; "
        f"{len(late):,} later requests failed{examples(late)}",
    )


def changes_apply_soon(applied: list) -> Criterion:
    return Criterion(
        f"a change is in force on every worker within {APPLIED_SECONDS_MAX:g} s (median)",
        statistics.median(applied) <= APPLIED_SECONDS_MAX,
        f"{len(applied):,} changes, median {statistics.median(applied):.2f} s, "
        f"slowest {max(applied):.2f} s",
    )


# Memory.


def no_vm_leaks(finished: list) -> Criterion:
    counts = [done.vms for done in finished]
    return Criterion(
        "no VM is left over after a phase",
        len(set(counts)) == 1,
        f"VMs after each phase: {', '.join(map(str, counts))}",
    )


def idle_memory(finished: list, is_judged: bool) -> list:
    """Compared with the last warm-up. Kills are not judged: Envoy starts again.

    Uploads are not judged either, but the phase after them is: the allocator takes its time.
    """
    found, reference = [], 0.0
    for done in finished:
        if done.phase.is_reference:
            reference = done.level_after
            continue
        growth = done.level_after / reference - 1
        is_exempt = done.phase.name in (KILLS.name, UPLOADS.name)
        found.append(
            Criterion(
                f"idle memory after {done.name} is within {IDLE_GROWTH_MAX:.0%}",
                growth <= IDLE_GROWTH_MAX if is_judged and not is_exempt else None,
                f"{reference:.0f} MiB after the warm-up, {done.level_after:.0f} MiB {growth:+.1%}",
            )
        )
    return found


def second_half(soak) -> list:
    """The samples of the second half of a soak, after the last warm-up."""
    middle = (soak.started + soak.ended) / 2
    warm = max(done.idle_until for done in soak.finished if done.phase.is_reference)
    samples = [
        sample for sample in soak.sampler.samples if max(middle, warm) <= sample.at <= soak.ended
    ]
    is_long = samples and samples[-1].at - samples[0].at >= TREND_SECONDS_MIN
    return samples if is_long else []


def memory_is_flat(samples: list) -> Criterion:
    sizes = [sample.resident for sample in samples]
    slope, middle = memory.slope_per_minute(samples), statistics.median(sizes)
    peak = max(sizes) / middle - 1
    return Criterion(
        f"resident memory is flat in the second half: at most {SLOPE_MAX_MIB:g} MiB per minute, "
        f"and no sample {PEAK_MAX:.0%} above the median",
        slope <= SLOPE_MAX_MIB and peak <= PEAK_MAX,
        f"{slope:+.2f} MiB per minute, median {middle:.0f} MiB, highest {max(sizes):.0f} MiB "
        f"({peak:+.1%})",
    )


def examples(found: list) -> str:
    return f", such as {'; '.join(map(example, found[:EXAMPLES]))}" if found else ""


def example(found) -> str:
    if isinstance(found, Exchange):
        return f"{found.id}, {found.kind} by {found.protocol} in {found.phase}: {found.problem}"
    return str(found)
