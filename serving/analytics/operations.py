"""What `yidai loans portfolio` does: settings in, values out."""

from __future__ import annotations

import numpy as np

from features.contracts.load import BUILTIN, load_contracts
from features.errors import Invalid
from features.loans.rows import BOOK
from features.loans.whole import whole_book
from features.terminal import Step
from features.timeline.lake import Lake
from serving.access.model import Permission
from serving.alerts.neighbours import neighbours
from serving.analytics.model import PortfolioView, labels, month_ends
from serving.analytics.model import portfolio as portfolio_of
from serving.clock import wall_clock
from serving.operations import active_plan, authority, moment_of
from serving.records.tail import CommandTail
from serving.serve import open_store
from serving.settings import Settings
from serving.store.session import tenant_transaction
from serving.watch.book import Book, own_loans
from serving.watch.service import door_of


def portfolio(settings: Settings, as_of: int | None, months: int, step: Step) -> PortfolioView:
    """`yidai loans portfolio`: the book at the last month ends at or before a moment.

    Raises:
        NothingActive: no definitions are in force.
        Invalid: no loan was known by then.
    """
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_LOANS)
    at = moment_of(settings) if as_of is None else as_of
    with tenant_transaction(database, asker.tenant) as connection:
        plan = active_plan(connection, wall_clock())
        lake = Lake(settings.lake_root, CommandTail(connection))
        door = door_of(connection, asker, lake, wall_clock())
        tables = door.whole(load_contracts([BUILTIN]), BOOK, needed=BOOK).tables
        own = own_loans(connection, lake, feeds=asker.tenant == settings.tenant)
        books = []
        for place, moment in enumerate(month_ends(at, months), start=1):
            step("the book month by month", place, months)
            book = whole_book(tables, moment)
            books.append(book.take(np.isin(book.loan, own)))
        last = books[-1]
        if not len(last.loan):
            raise Invalid(
                "no loan was known by then.",
                place="as_of",
                remedy="Ask for a later moment, or ingest the book.",
            )
        held = Book(last.loan, last.subject, last.dpd, last.overdue)
        villages = neighbours(plan, door, held, last.as_of).villages
    return portfolio_of(
        books, {**labels(tables, last), "village": [name or "not known" for name in villages]}
    )
