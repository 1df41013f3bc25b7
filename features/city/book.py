"""Past applications and loans, drawn month by month beside the filter that saw what was known then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.city.filter import BookRecords, Filter, approval, default_risk, survival
from features.city.latent import Attributes, Emissions, Lives
from features.city.parameters import CELLS, STATES, WARM_UP, Economy
from features.terminal import Step

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MonthlyRisk:
    """P(a payment missed for good within 12 months) at the end of each month from ``WARM_UP`` on [n, months].

    As if a payment were due each month; fraud apart. ``filtered`` by what was known, ``true`` by type and state.
    """

    filtered: Floats
    true: Floats


@dataclass(frozen=True, slots=True)
class Applications:
    """One row an application, arrays [rows], ordered by month.

    ``filter_risk`` and ``true_risk`` are P(bad) at the application, by what was known and by type, state and
    fraud; ``paid`` is the number of instalments paid until the trigger (all of them where there was none).
    ``bad``, ``paid`` and ``traced`` are what a drawn loan brings, also where none was granted; ``traced``: the
    household was strained or distressed in a month between a year before the application and the trigger.
    """

    person: Ints
    month: Ints
    amount: Ints
    term: Ints
    approved: Flags
    random: Flags
    drawn: Flags
    restructured: Flags
    paid: Ints
    bad: Flags
    traced: Flags
    filter_risk: Floats
    true_risk: Floats


def draw_book(
    economy: Economy, regime: Ints, lives: Lives, known: Attributes, emitted: Emissions, hmm: Filter,
    book: BookRecords, months: int, generator: np.random.Generator, progress: Step | None,
) -> tuple[Applications, MonthlyRisk]:  # fmt: skip
    """Simulate applications and loans, and the risk of every household at each month's end."""
    n = len(lives.kind)
    busy_until = np.full(n, -1)
    ruined = np.zeros(n, dtype=bool)
    alive = survival(economy, max(economy.terms))
    parts: list[Applications] = []
    filtered, true = np.empty((2, n, months - WARM_UP))
    for month in range(months):
        if progress:
            progress("months", month, months)
        belief = hmm.posterior(month)
        if month < WARM_UP:
            continue
        risk = 1 - alive[12, :, regime[month]]
        filtered[:, month - WARM_UP] = (belief * risk).sum(axis=1)
        true[:, month - WARM_UP] = risk[lives.kind * STATES + lives.state[:, month]]
        people = np.flatnonzero((generator.random(n) < economy.apply) & (busy_until < month) & ~ruined)
        score = visible_score(known, emitted, people, month)
        part = _apply(economy, regime, lives, score, belief, alive, book, people, month, generator)
        parts.append(part)
        _grant(part, book, busy_until, ruined, months)
    names = Applications.__dataclass_fields__
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Applications(**joined), MonthlyRisk(filtered, true)


def _apply(
    economy: Economy, regime: Ints, lives: Lives, score: Floats, belief: Floats, alive: Floats, book: BookRecords,
    people: Ints, month: int, generator: np.random.Generator,
) -> Applications:  # fmt: skip
    k = len(people)
    term = generator.choice(np.array(economy.terms), k, p=economy.term_share)
    amount = np.round(generator.lognormal(10.2, 0.6, k), -2).astype(np.int64)
    state = lives.state[people, month]
    liked = generator.random(k) < approval(economy, score, state)
    lucky = ~liked & (generator.random(k) < economy.random_share) & (month >= WARM_UP + 6)
    book.decision[people, month] = np.where(liked, 1, -1)
    book.score[people, month] = score
    restructured = generator.random(k) < economy.restructured
    first = _first_trigger(lives, people, month, term)
    paid = np.where(lives.fraud[people], 0, np.minimum(first - 1, term))
    in_time = np.where(term < 12, first <= term, (first < term) | ((first == term) & restructured))
    before = np.arange(lives.state.shape[1])[None, :] < (month + np.minimum(first, term) + 1)[:, None]
    traced = (
        (lives.state[people] > 0) & before & (np.arange(lives.state.shape[1]) > month - 12)[None, :]
    ).any(axis=1)
    fraud = lives.fraud[people]
    perhaps = np.where(book.paying[people, : month + 1].any(axis=1), 0.0, economy.fraud)
    cell = lives.kind[people] * STATES + state
    truth = np.eye(CELLS)[cell]
    return Applications(
        people, np.full(k, month), amount, term, liked | lucky, lucky, generator.random(k) < economy.drawn,
        restructured, paid, in_time | lives.fraud[people], traced,
        perhaps + (1 - perhaps) * default_risk(economy, alive, belief[people], int(regime[month]), term),
        np.where(fraud, 1.0, default_risk(economy, alive, truth, int(regime[month]), term)),
    )  # fmt: skip


def visible_score(known: Attributes, emitted: Emissions, people: Ints, month: int) -> Floats:
    """What the past policy looked at: overdue months and enquiries of the last half year, known by then."""
    span = slice(max(month - 6, 0), month)
    ages = np.arange(span.stop - span.start)[::-1] + 1
    told = emitted.lag["bureau_repayment"][people, span] <= ages[None, :]
    late = (emitted.bureau_bucket[people, span] > 0) & known.bureau[people, None]
    overdue = (late & told).sum(axis=1)
    return np.asarray(0.35 * overdue + 0.12 * emitted.enquiries[people, span].sum(axis=1), dtype=np.float64)


def _first_trigger(lives: Lives, people: Ints, month: int, term: Ints) -> Ints:
    """Number of the first instalment that is missed for good; beyond the term where there is none."""
    ahead = lives.trigger[people, month + 1 : month + 1 + int(term.max(initial=1))]
    hit = ahead & (np.arange(ahead.shape[1])[None, :] < term[:, None])
    return np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, term + 1)


def _grant(part: Applications, book: BookRecords, busy_until: Ints, ruined: Flags, months: int) -> None:
    for row in np.flatnonzero(part.approved & part.drawn):
        person, start = int(part.person[row]), int(part.month[row]) + 1
        paid, term = int(part.paid[row]), int(part.term[row])
        book.paying[person, start : min(start + paid, months)] = True
        busy_until[person] = start + term
        if paid < term:
            ruined[person] = True
            if start + paid < months:
                book.defaulted[person, start + paid] = True
                book.at_once[person, start] = paid == 0 and not book.paying[person, :start].any()
