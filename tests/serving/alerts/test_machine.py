"""The state machine of an alert: what each rule says, and the same answer as a plain reading of the whole history."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from features.calendar import DAY, instant
from serving.alerts.machine import (
    AlertState,
    Coverage,
    Observation,
    Point,
    Standing,
    merged,
    seen,
    standing,
)
from serving.watch.signals import Level
from tests.serving.alerts.desk import points_of

ENDS = ("2024-09-30", "2024-10-31", "2024-11-30", "2024-12-31", "2025-01-31", "2025-02-28")
YELLOW, ORANGE, RED = 1, 2, 3


def at(day: str, rank: int | None = YELLOW, dpd: int = 0) -> Observation:
    return Observation(instant(f"{day}T20:00:00"), rank, dpd)


def of(*observations: Observation) -> Standing:
    found = standing(points_of(observations))
    assert found is not None
    return found


def ends(*ranks: int | None) -> Standing:
    """A month's end after the other, from September 2024."""
    return of(*(at(day, rank) for day, rank in zip(ENDS, ranks, strict=False)))


def test_the_first_hit_is_new_and_one_observation_is_partial() -> None:
    found = ends(YELLOW)
    assert (found.state, found.level, found.streak) == (AlertState.NEW, Level.YELLOW, 1)
    assert found.coverage is Coverage.PARTIAL
    assert ends(YELLOW, 0).coverage is Coverage.FULL
    assert ends(YELLOW, None).coverage is Coverage.PARTIAL


def test_two_points_in_a_row_are_ongoing_one_level_up_and_three_demand_a_disposal() -> None:
    two = ends(YELLOW, YELLOW)
    assert (two.state, two.level, two.disposal) == (AlertState.ONGOING, Level.ORANGE, None)
    three = ends(YELLOW, YELLOW, YELLOW)
    assert (three.level, three.disposal) == (Level.ORANGE, instant("2024-12-01"))
    assert ends(YELLOW, YELLOW, YELLOW, YELLOW).disposal == three.disposal
    assert ends(RED, RED).level is Level.RED


def test_what_the_rule_has_weighed_lasts_but_neither_rises_nor_demands_by_repetition() -> None:
    points = points_of([at(end, YELLOW) for end in ENDS[:4]])
    found = standing(points, steady=True)
    assert found is not None
    assert (found.state, found.level, found.streak, found.disposal) == (
        AlertState.ONGOING,
        Level.YELLOW,
        4,
        None,
    )
    worse = standing([*points, seen(at(ENDS[4], RED))], steady=True)
    assert worse is not None
    assert worse.level is Level.RED


def test_runs_within_a_month_raise_by_what_the_signal_says_and_never_by_repetition() -> None:
    nightly = [at(f"2024-10-{day:02d}") for day in range(1, 32)]
    assert of(*nightly) == of(nightly[-1])
    assert of(*nightly, at("2024-10-15", ORANGE)).level is Level.ORANGE
    next_day = of(*nightly, at("2024-11-01"))
    assert (next_day.state, next_day.streak) == (AlertState.NEW, 1), "the second of November is no point"
    assert of(*nightly, at("2024-11-01"), at("2024-11-30")).state is AlertState.ONGOING


def test_a_month_that_nobody_looked_at_on_its_last_day_counts_when_the_next_one_is_looked_at() -> None:
    twentieths = [at(f"2024-{month}-20") for month in ("09", "10", "11")]
    assert [of(*twentieths[:n]).streak for n in (1, 2, 3)] == [0, 1, 2]


def test_a_point_without_the_signal_ends_the_row_and_two_wait_for_a_person() -> None:
    assert ends(YELLOW, 0).state is AlertState.NEW
    assert ends(YELLOW, 0, YELLOW).streak == 1
    assert ends(YELLOW, 0, YELLOW).level is Level.YELLOW
    assert ends(YELLOW, 0, 0).state is AlertState.PENDING_RELEASE
    assert ends(YELLOW, YELLOW, 0, 0, 0, 0).state is AlertState.PENDING_RELEASE
    assert ends(YELLOW, YELLOW, 0, 0).level is Level.ORANGE, "nothing falls by itself"


def test_a_hit_within_a_month_takes_back_that_it_may_be_released() -> None:
    quiet = [at(ENDS[0]), at(ENDS[1], 0), at(ENDS[2], 0)]
    assert of(*quiet).state is AlertState.PENDING_RELEASE
    assert of(*quiet, at("2024-12-05")).state is AlertState.NEW
    assert of(*quiet, at("2024-12-05"), at(ENDS[3], 0)).quiet == 1


def test_what_could_not_be_told_is_neither_a_hit_nor_its_absence() -> None:
    assert ends(YELLOW, None, YELLOW) == of(at(ENDS[0]), at(ENDS[1], None), at(ENDS[2]))
    assert ends(YELLOW, None, YELLOW).streak == 2
    assert ends(YELLOW, 0, None, 0).state is AlertState.PENDING_RELEASE
    assert ends(YELLOW, None, None, None).state is AlertState.NEW
    assert of(at("2024-10-05"), at("2024-10-31", None), at("2024-11-30")).streak == 2


def test_a_month_in_which_nobody_looked_ends_the_row() -> None:
    assert of(at(ENDS[0]), at(ENDS[2])).streak == 1
    assert of(at(ENDS[0]), at(ENDS[1]), at("2026-01-31")).streak == 1, "a clock that jumped escalates nothing"


def test_a_crossed_band_of_days_past_due_forces_the_top_level() -> None:
    assert of(at(ENDS[0], YELLOW, 29)).level is Level.YELLOW
    assert of(at("2024-09-11", YELLOW, 30)).level is Level.RED
    assert of(at(ENDS[0], YELLOW, 30), at(ENDS[1], YELLOW, 95)).band == 2
    assert of(at(ENDS[0]), at(ENDS[1], 0, 30)).level is Level.YELLOW, "another signal's business"


def test_of_one_day_the_gravest_counts() -> None:
    assert of(at(ENDS[0]), at(ENDS[0], 0)) == of(at(ENDS[0]))
    assert of(at(ENDS[0], 0), at(ENDS[0], RED), at(ENDS[0], ORANGE)) == of(at(ENDS[0], RED))


def test_without_a_hit_there_is_no_alert() -> None:
    assert standing([]) is None
    assert standing(points_of([at(ENDS[0], 0), at(ENDS[1], None)])) is None
    assert of(at(ENDS[0], 0), at(ENDS[1])) == of(at(ENDS[1])), (
        "what was not there before is no observation of it"
    )


DAYS = st.integers(instant("2024-08-25") // DAY, instant("2025-02-05") // DAY)
OBSERVED = st.builds(
    Observation,
    st.builds(lambda day, hour: day * DAY + hour * DAY // 24, DAYS, st.integers(0, 23)),
    st.sampled_from([None, 0, 0, 1, 1, 2, 3]),
    st.sampled_from([0, 0, 0, 10, 29, 30, 90, 400]),
)


def oracle(history: list[Observation]) -> tuple[str, int, int, int, bool, bool] | None:
    """State, level, row, quiet points, partial and disposal, read plainly day by day from the whole history."""
    days: dict[date, list[Observation]] = {}
    for each in history:
        days.setdefault(date(1970, 1, 1) + timedelta(hours=(each.at // 3_600_000_000) + 8), []).append(each)
    hit_days = [day for day in days if any(one.rank for one in days[day])]
    if not hit_days:
        return None
    months = sorted({(day.year, day.month) for day in days})
    months = [month for month in months if month >= (min(hit_days).year, min(hit_days).month)]
    told = {m: sorted(d for d in days if (d.year, d.month) == m and any(o.rank is not None for o in days[d])) for m in months}  # fmt: skip
    newest = max((m for m in months if told[m]), default=(0, 0))
    level = row = quiet = band = 0
    lasting = disposal = False
    for place, month in enumerate(months):
        hits = [one for day in told[month] for one in days[day] if one.rank]
        if place and (month[0] * 12 + month[1]) - (months[place - 1][0] * 12 + months[place - 1][1]) > 1:
            row = 0
        for one in hits:
            level, quiet = max(level, one.rank or 0), 0
            if (crossed := len([limit for limit in (30, 90, 270, 360) if one.dpd >= limit])) > band:
                band, level = crossed, 3
        if not told[month]:
            continue
        last = told[month][-1]
        if month == newest and (last + timedelta(days=1)).month == last.month:
            continue
        if any(one.rank for one in days[last]):
            row += 1
            level, lasting = (min(level + 1, 3), True) if row == 2 else (level, lasting)
            disposal |= row >= 3
        else:
            row, quiet = 0, quiet + 1
    state = "pending_release" if quiet >= 2 else "ongoing" if lasting else "new"
    return state, level, row, quiet, sum(bool(told[m]) for m in months) < 2, disposal


def plainly(found: Standing | None) -> tuple[str, int, int, int, bool, bool] | None:
    if found is None:
        return None
    return (
        found.state.value, list(Level).index(found.level) + 1, found.streak, found.quiet,
        found.coverage is Coverage.PARTIAL, found.disposal is not None,
    )  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(OBSERVED, max_size=14))
def test_it_says_what_the_whole_history_says(history: list[Observation]) -> None:
    assert plainly(standing(points_of(history))) == oracle(history)


@settings(max_examples=200, deadline=None)
@given(st.lists(OBSERVED, max_size=10), st.randoms(use_true_random=False))
def test_the_order_and_repetition_of_arrival_change_nothing(history: list[Observation], chance) -> None:
    shuffled = history + history[: len(history) // 2]
    chance.shuffle(shuffled)
    assert points_of(shuffled) == points_of(history)


@given(OBSERVED, OBSERVED, OBSERVED)
def test_merging_is_a_join(a: Observation, b: Observation, c: Observation) -> None:
    one, two, three = (
        Point(0, each.gravest, each.band, each.last_day, each.last_rank) for each in map(seen, (a, b, c))
    )
    assert merged(one, two) == merged(two, one)
    assert merged(merged(one, two), three) == merged(one, merged(two, three))
    assert merged(one, one) == one


class Watched(RuleBasedStateMachine):
    """An alert that is folded point by point as runs come in any order, beside its whole history."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[Observation] = []
        self.points: dict[int, Point] = {}
        self.before = 0

    @rule(observation=OBSERVED)
    def run(self, observation: Observation) -> None:
        self.history.append(observation)
        self._keep(observation)

    @rule(place=st.integers(0, 100))
    def run_again(self, place: int) -> None:
        if self.history:
            known = dict(self.points)
            self._keep(self.history[place % len(self.history)])
            assert self.points == known

    def _keep(self, observation: Observation) -> None:
        each = seen(observation)
        self.points[each.point] = merged(self.points.get(each.point, each), each)

    @invariant()
    def it_stands_as_the_history_says(self) -> None:
        found = standing([self.points[point] for point in sorted(self.points)])
        assert plainly(found) == oracle(self.history)
        assert found is None or found.state is not AlertState.RELEASED


TestWatched = Watched.TestCase
TestWatched.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
