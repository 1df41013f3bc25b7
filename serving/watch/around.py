"""Whose loans a record bears upon, beside those of whom it is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from features.definitions.plan import FeaturePlan
from features.timeline.door import Door
from features.timeline.events import Int64
from features.timeline.views import Reach, View
from serving.store.session import Connection
from serving.watch.asking import GUARANTEE

_HOUSEHOLDS = """
SELECT DISTINCT o.subject_id FROM subject_timeline s JOIN subject_timeline o ON o.household = s.household
WHERE s.subject_id = ANY (%s)"""


@dataclass(frozen=True, slots=True)
class Around:
    """Follows links of everybody: who may see what through them is no question of who is near whom."""

    connection: Connection
    plan: FeaturePlan
    door: Door

    def concerned(self, subjects: Int64) -> Int64:
        """Whose alerts a record about one of these may change: owners and residents, whom they guarantee for (a red
        signal of whom is one of the next), and households. Who owes nothing is among them.
        """
        own = self._seers(subjects)
        linked = np.union1d(own, self._guaranteed(own))
        again = np.union1d(linked, self._guaranteed(linked))
        rows = self.connection.execute(_HOUSEHOLDS, (linked.tolist(),)).fetchall()
        return np.union1d(again, np.array([row[0] for row in rows], dtype=np.int64))

    def guarantors(self, borrowers: Int64) -> Int64:
        """Who guarantees for these, now or once."""
        contract = self.plan.contracts.get(GUARANTEE)
        if contract is None:
            return np.empty(0, dtype=np.int64)
        return _people(self.door.rows(contract, borrowers.tolist()).columns["guarantor_id_number"])

    def near(self, borrowers: Int64) -> Int64:
        """These with all whose records concern their alerts: guarantors, and what views show."""
        return np.union1d(borrowers, np.union1d(self.guarantors(borrowers), self.shown(borrowers)))

    def shown(self, borrowers: Int64) -> Int64:
        """Firms and places that views show of these."""
        found = [np.empty(0, dtype=np.int64)]
        for view in self._views():
            contract, asked = self.plan.contracts[view.source], borrowers.tolist()
            if view.reach is Reach.OWNER:
                found.append(self.door.rows(contract, asked, view.field).subject)
            else:
                found.append(self.door.rows(contract, asked).columns[view.field])
        return _people(np.concatenate(found))

    def _seers(self, subjects: Int64) -> Int64:
        found = [subjects]
        for view in self._views():
            contract, asked = self.plan.contracts[view.source], subjects.tolist()
            if view.reach is Reach.OWNER:
                found.append(self.door.rows(contract, asked).columns[view.field])
            else:
                found.append(self.door.rows(contract, asked, view.field).subject)
        return _people(np.concatenate(found))

    def _guaranteed(self, subjects: Int64) -> Int64:
        contract = self.plan.contracts.get(GUARANTEE)
        if contract is None:
            return subjects
        return _people(self.door.rows(contract, subjects.tolist(), "guarantor_id_number").subject)

    def _views(self) -> Iterable[View]:
        """One of each link through which the plan's datasets are seen; those of relatives, who agreed to no watch, apart."""
        shown = (view for name, view in self.plan.views.items() if name in self.plan.datasets)
        links = {(view.source, view.field, view.reach): view for view in shown if not view.relatives}
        return links.values()


def _people(found: Int64) -> Int64:
    return np.unique(found[found >= 0])
