"""What `yidai loans` does: settings in, values out."""

from __future__ import annotations

from serving.access.model import Permission
from serving.loans.model import BookPage, LoanView
from serving.loans.paging import Wanted
from serving.operations import authority, moment_of
from serving.serve import open_store
from serving.services import with_services
from serving.settings import Settings


def show(settings: Settings, loan_id: str, as_of: int | None) -> LoanView:
    """Where a loan stands as of a moment; of a sample as of its own, where none is given."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_LOANS)
    at = moment_of(settings) if as_of is None else as_of
    return with_services(settings, database, lambda held: held.loans.read(asker, loan_id, at))


def book(settings: Settings, wanted: Wanted) -> BookPage:
    """A page of the book, likewise."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_LOANS)
    at = moment_of(settings) if wanted.as_of is None else wanted.as_of
    asked = Wanted(at, wanted.bucket, wanted.state, wanted.after, wanted.most)
    return with_services(settings, database, lambda held: held.loans.book(asker, asked))
