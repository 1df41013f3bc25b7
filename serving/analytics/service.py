"""What is kept of the book and of models in use, read over HTTP and by commands, and issues that people close."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import asyncpg
import msgspec

from features.calendar import iso
from serving.access.model import Authority, Permission
from serving.analytics import repository
from serving.analytics.answers import MonitoringView, NoReport, PortfolioPage, about, shortened
from serving.analytics.issues import (
    ClosedAlready,
    IssuePage,
    IssueView,
    UnknownIssue,
    checked_reason,
    issue_view,
)
from serving.analytics.model import PortfolioView
from serving.analytics.repository import MONITORING, PORTFOLIO
from serving.store.audit import record_async
from serving.store.session import tenant_connection


class AnalyticsService:
    """The use cases of people on what the nights tell. ``clock`` gives µs of UTC, ``seen_at`` as of when is now."""

    def __init__(
        self, pool: asyncpg.Pool, clock: Callable[[], int], seen_at: Callable[[int], int] = int
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._seen_at = seen_at

    async def portfolio(
        self, authority: Authority, months: int, segment: str = "", village: str = "", as_of: int | None = None
    ) -> PortfolioPage:  # fmt: skip
        """The book month by month as it was kept last at or before a moment.

        Raises:
            NoReport: none was, or none of this part.
            BothParts: a segment and a village.
        """
        authority.holds(Permission.READ_LOANS)
        part = about(segment, village)
        at, made, body = await self._kept(authority, PORTFOLIO, part, as_of, "portfolio", "as_of")
        found = shortened(msgspec.json.decode(body, type=PortfolioView), months)
        return PortfolioPage(iso(at), iso(made), segment, village, found)

    async def monitoring(self, authority: Authority, model: str, as_of: int | None = None) -> MonitoringView:
        """A model in use as it was looked at last at or before a moment.

        Raises:
            NoReport: it was not.
        """
        authority.holds(Permission.READ_REGISTRY)
        at, made, body = await self._kept(authority, MONITORING, model, as_of, "monitoring", "name")
        told = msgspec.json.decode(body)
        return MonitoringView(model, iso(at), iso(made), told["opened"], told["found"], told["overrides"])

    async def issues(self, authority: Authority, most: int, *, closed: bool) -> IssuePage:
        """Issues of models in use."""
        authority.holds(Permission.READ_REGISTRY)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            rows = await repository.issues(connection, None, most, closed=closed)
        return IssuePage([issue_view(row, self._clock()) for row in rows])

    async def close(self, authority: Authority, issue: UUID, reason: str) -> IssueView:
        """Close an issue.

        Raises:
            NoReason, NumberInText: of the reason.
            UnknownIssue, ClosedAlready: there is nothing to close.
        """
        authority.holds(Permission.SUBMIT)
        why, now, actor = checked_reason(reason), self._clock(), authority.actor.actor_id
        async with tenant_connection(self._pool, authority.tenant) as connection:
            done = await repository.close(connection, issue, actor, why, now)
            rows = await repository.issues(connection, issue, 1, closed=True)
            if not done:
                raise ClosedAlready if rows else UnknownIssue
            await record_async(
                connection, authority.tenant, now, actor, "model.issue_closed", str(issue), reason=why
            )
        return issue_view(rows[0], now)

    async def _kept(
        self, authority: Authority, kind: str, part: str, as_of: int | None, what: str, place: str
    ) -> tuple[int, int, str]:
        at = self._seen_at(self._clock()) if as_of is None else as_of
        async with tenant_connection(self._pool, authority.tenant) as connection:
            found = await repository.kept(connection, kind, part, at)
        if found is None:
            raise NoReport(what, place)
        return found
