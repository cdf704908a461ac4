"""The phases of a soak: the load of each, what is provoked in it, and how long it lasts."""

import collections.abc
import dataclasses

import storms

FULL_MINUTES = 20


@dataclasses.dataclass(frozen=True)
class Phase:
    """`seconds` are those of a soak of 20 minutes; a shorter one has at least `seconds_min`."""

    name: str
    seconds: float
    seconds_min: float
    rate: float = 40
    streams: int = 20
    storm: collections.abc.Callable | None = None
    idle_seconds: float = 15
    # Later phases are compared with the level of an idle gateway after this one.
    is_reference: bool = False
    # A short soak leaves this phase out.
    is_repeated: bool = False

    def length(self, minutes: float) -> float:
        return max(self.seconds_min, self.seconds * minutes / FULL_MINUTES)

    def idle(self, minutes: float) -> float:
        return max(2.0, self.idle_seconds * minutes / FULL_MINUTES)


def again(phase: Phase, seconds: float) -> Phase:
    return dataclasses.replace(phase, seconds=seconds, is_repeated=True)


# With as many clients as any later phase: Envoy and the allocator keep what the peak has needed,
# and memory must not grow after that.
WARM_UP = Phase("warm-up", 60, 4, rate=50, streams=200, is_reference=True)
UPLOADS = Phase("uploads of 30 MB", 40, 1, rate=20, storm=storms.uploads)
# The allocator returns what the uploads needed after five minutes.
STEADY = Phase("steady load", 300, 2)
KILLS = Phase("kills of Envoy", 60, 5, storm=storms.kills)
FAULTS = Phase("faults of Bedrock", 90, 7, storm=storms.faults)
RESTARTS = Phase("restarts of regions", 60, 4, storm=storms.restarts)
RELOADS = Phase("reloads", 60, 6, rate=50, streams=200, storm=storms.reloads)
SAVES = Phase("200 saves in 10 s", 15, 4, storm=storms.saves)
ROTATION = Phase("new master keys", 40, 4, storm=storms.rotation)

# The first half has what needs a lot of memory, or ends the process. In the second half one Envoy
# lives through everything else.
PHASES = [
    WARM_UP,
    UPLOADS,
    STEADY,
    KILLS,
    WARM_UP,
    FAULTS,
    RESTARTS,
    RELOADS,
    SAVES,
    ROTATION,
    again(FAULTS, 60),
    again(RESTARTS, 40),
    again(RELOADS, 60),
    again(STEADY, 60),
]
# A shorter soak has no repetitions, and too little time to judge memory.
LONG_MINUTES_MIN = 8
STORMS = sorted({phase.storm.__name__ for phase in PHASES if phase.storm})


def phases(minutes: float, without: list) -> list:
    return [
        phase
        for phase in PHASES
        if (minutes >= LONG_MINUTES_MIN or not phase.is_repeated)
        and not (phase.storm and phase.storm.__name__ in without)
    ]
