"""A breaker against a plain account of what it may do."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from serving.sources.breaker import Breaker, Circuit
from serving.sources.model import BreakerSpec

SPEC = BreakerSpec(failures=3, open_ms=1_000)


@dataclass
class Now:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.4, 1.0, 5.0])), max_size=60))
def test_it_opens_after_three_failures_in_a_row_and_closes_after_one_answer(
    calls: list[tuple[bool, float]],
) -> None:
    now, failures, closed_again = Now(), 0, 0.0
    breaker = Breaker(SPEC, now)
    for answered, wait in calls:
        now.seconds += wait
        may = failures < 3 or now.seconds >= closed_again
        assert breaker.admits() is may
        if not may:
            assert breaker.circuit is Circuit.OPEN
            continue
        if answered:
            breaker.succeeded()
            failures = 0
        else:
            breaker.failed()
            failures += 1
            closed_again = now.seconds + 1.0


def test_while_one_call_tries_no_other_passes() -> None:
    now = Now()
    breaker = Breaker(SPEC, now)
    for _ in range(3):
        assert breaker.admits()
        breaker.failed()
    now.seconds = 1.0
    assert breaker.circuit is Circuit.HALF_OPEN
    assert [breaker.admits(), breaker.admits(), breaker.admits()] == [True, False, False]
    breaker.succeeded()
    assert breaker.circuit is Circuit.CLOSED
