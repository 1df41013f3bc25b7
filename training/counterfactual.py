"""What would have to be otherwise for a better answer: the smallest change in things that a person can act on.

The search scores candidates with the bundle itself; composed
features follow their parts. It starts from every action alone, goes on with the most promising combinations
(a beam), and takes back each step that is not needed. Only numpy and the bundle are imported, so that the
request's path may import it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.actions import Actions, Floats, Int64, Kinds, Taken
from training.bundle import Scorer

Recompose = Callable[[Floats, Kinds], None]

MOST_STEPS = 48
"""More steps than these are tried at even distances, and the last ones taken back one by one."""
BEAM = 10
OPTIONS = 8
DEPTH = 5
"""So many actions at once; more are only tried all together."""


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """The smallest change found; not ``reached`` where no combination gets there, then the nearest.

    ``log_odds``, ``pd`` and ``grade`` are the scorer's own of the changed row; ``effort`` adds up over steps.
    """

    reached: bool
    taken: tuple[Taken, ...]
    effort: float
    log_odds: int
    pd: float
    grade: int


def counterfactual(
    scorer: Scorer,
    actions: Actions,
    values: Floats,
    missing: Kinds,
    most: int,
    recompose: Recompose | None = None,
) -> Counterfactual:
    """The smallest change of a row [columns of ``actions``] after which its score is at most ``most``.

    ``most`` is in 1e-9 logits: see ``training.bounds.greatest_score``. ``recompose`` fills composed columns
    anew (``FeaturePlan.recompose``).
    """
    search = _Search(scorer, actions, values, missing, most, recompose)
    steps = search.run()
    rows, kinds = search.rows(steps[None, :])
    scores = scorer.score(rows[:, search.picked], kinds[:, search.picked])
    score = int(scores.log_odds[0])
    taken = actions.taken(values, rows[0], steps)
    effort = float(steps @ actions.efforts)
    return Counterfactual(score <= most, taken, effort, score, float(scores.pd[0]), int(scores.grade[0]))


class _Search:
    """The search for one row. A state is the number of steps of each action, int64 [actions]."""

    def __init__(
        self,
        scorer: Scorer,
        actions: Actions,
        values: Floats,
        missing: Kinds,
        most: int,
        recompose: Recompose | None,
    ) -> None:
        at = {name: place for place, name in enumerate(actions.columns)}
        self.scorer, self.actions, self.most, self.recompose = scorer, actions, most, recompose
        self.values, self.missing = values, missing
        self.picked = np.array([at[name] for name in scorer.columns], dtype=np.intp)
        self.limits = actions.limits(values, missing)

    def run(self) -> Int64:
        """The best state: the least effort of those that reach the target, else the least score."""
        nothing = np.zeros((1, len(self.limits)), dtype=np.int64)
        if self.scores(nothing)[0] <= self.most or not self.limits.any():
            return np.asarray(nothing[0])
        options, alone = self._options()
        best = self._beam(options, alone)
        if best is None:
            best = self._everything(options)
        return self._taken_back(best)

    def rows(self, steps: Int64) -> tuple[Floats, Kinds]:
        """Rows and their kinds after these steps, composed columns among them."""
        rows = self.actions.apply(self.values, self.missing, steps)
        kinds = np.repeat(self.missing[None, :], len(steps), axis=0)
        if self.recompose is not None:
            self.recompose(rows, kinds)
        return rows, kinds

    def scores(self, steps: Int64) -> Int64:
        """Scores of states [n, actions]."""
        rows, kinds = self.rows(steps)
        return self.scorer.log_odds(rows[:, self.picked], kinds[:, self.picked])

    def _options(self) -> tuple[list[Int64], Int64]:
        """For each action the numbers of steps at which the score alone falls, at most ``OPTIONS``; all as states."""
        tried = [np.unique(np.linspace(1, limit, min(limit, MOST_STEPS)).round().astype(np.int64))
                 if limit else np.empty(0, dtype=np.int64) for limit in self.limits]  # fmt: skip
        states = np.zeros((sum(map(len, tried)), len(tried)), dtype=np.int64)
        ends = np.cumsum([0, *map(len, tried)])
        for place, steps in enumerate(tried):
            states[ends[place] : ends[place + 1], place] = steps
        scores = self.scores(states)
        start = self.scores(np.zeros((1, len(tried)), dtype=np.int64))[0]
        found = []
        for place, steps in enumerate(tried):
            own = scores[ends[place] : ends[place + 1]]
            lowest = np.minimum.accumulate(np.concatenate([[start], own]))
            falls = np.flatnonzero(own < lowest[:-1])
            kept = np.unique(np.append(_spread(falls, own), len(steps) - 1)) if len(steps) else falls
            found.append(steps[kept])
        return found, states[scores <= self.most]

    def _beam(self, options: list[Int64], alone: Int64) -> Int64 | None:
        """The least effort among combinations of up to ``DEPTH`` actions; ``alone`` are single ones that suffice."""
        best, least = None, np.inf
        if len(alone):
            best = alone[np.argmin(alone @ self.actions.efforts)]
            least = float(best @ self.actions.efforts)
        states = np.zeros((1, len(options)), dtype=np.int64)
        start = self.scores(states)[0]
        for _ in range(DEPTH):
            states = _grown(states, options)
            efforts = states @ self.actions.efforts
            states, efforts = states[efforts < least], efforts[efforts < least]
            if not len(states):
                break
            scores = self.scores(states)
            enough = np.flatnonzero(scores <= self.most)
            if len(enough):
                first = enough[np.lexsort((scores[enough], efforts[enough]))[0]]
                best, least = states[first], float(efforts[first])
            states = states[self._promising(scores, efforts, start)]
        return best

    def _promising(self, scores: Int64, efforts: Floats, start: np.int64) -> Int64:
        """Half of the beam by score, half by what an effort brings."""
        gain = (start - scores) / efforts
        return np.unique(np.concatenate([np.argsort(scores)[: BEAM // 2], np.argsort(-gain)[: BEAM // 2]]))

    def _everything(self, options: list[Int64]) -> Int64:
        """All actions together, each in turn at its best number of steps until no change helps."""
        state = np.array([steps[-1] if len(steps) else 0 for steps in options], dtype=np.int64)
        score = self.scores(state[None, :])[0]
        improved = True
        while improved:
            improved = False
            for place, steps in enumerate(options):
                tries = np.repeat(state[None, :], len(steps) + 1, axis=0)
                tries[:, place] = [0, *steps]
                scores = self.scores(tries)
                if scores.min() < score:
                    state, score, improved = tries[np.argmin(scores)], scores.min(), True
        return state

    def _taken_back(self, state: Int64) -> Int64:
        """The state without the steps that are not needed to keep what it reaches."""
        score = self.scores(state[None, :])[0]
        allowed = max(self.most, int(score))
        for place in np.argsort(-state * self.actions.efforts, kind="stable"):
            if not state[place]:
                continue
            tries = np.repeat(state[None, :], min(int(state[place]), MOST_STEPS) + 1, axis=0)
            tries[:, place] = np.unique(np.linspace(0, state[place], len(tries)).round().astype(np.int64))
            good = np.flatnonzero(self.scores(tries) <= allowed)
            state = tries[good[0]] if len(good) else state
        return state


def _grown(states: Int64, options: list[Int64]) -> Int64:
    """Each state with one more action, at each of its options; none twice."""
    grown = []
    for place, steps in enumerate(options):
        free = states[states[:, place] == 0]
        new = np.repeat(free, len(steps), axis=0)
        new[:, place] = np.tile(steps, len(free))
        grown.append(new)
    return np.unique(np.concatenate(grown), axis=0)


def _spread(falls: Int64, scores: Int64) -> Int64:
    """At most ``OPTIONS`` of the falls, the deepest ones, in order."""
    if len(falls) <= OPTIONS:
        return falls
    depth = -np.diff(scores[falls], prepend=scores[falls[0]])
    return np.sort(falls[np.argsort(-depth, kind="stable")[:OPTIONS]])
