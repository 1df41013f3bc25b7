"""Who is asking, what for, and in which tenant: one value that every use case must be given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from features.errors import Forbidden, Unauthenticated


class Role(StrEnum):
    """What a person or a system does for a tenant."""

    INTEGRATION_ENGINEER = "integration_engineer"
    ANALYST = "analyst"
    RISK_OFFICER = "risk_officer"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """What a use case needs."""

    DECIDE = "decide"
    PREFILL = "prefill"
    MANAGE_CONSENTS = "manage_consents"
    READ_DECISIONS = "read_decisions"
    READ_RECEIPTS = "read_receipts"
    READ_REGISTRY = "read_registry"
    SUBMIT = "submit"
    APPROVE = "approve"
    ACTIVATE = "activate"
    REPLAY = "replay"
    HANDLE_ALERTS = "handle_alerts"
    RESOLVE = "resolve"
    """Say who a record without a number is about."""
    ADMINISTER = "administer"
    SEND_RECORDS = "send_records"
    HANDLE_DISPUTES = "handle_disputes"
    ERASE = "erase"
    READ_ACCESS_LOG = "read_access_log"
    READ_CASES = "read_cases"
    DECIDE_CASES = "decide_cases"
    STOP_APPROVALS = "stop_approvals"
    EXERCISE_RIGHTS = "exercise_rights"
    """Ask in a subject's name: for a person's review, a report, a statement."""
    READ_LOG = "read_log"
    """Checkpoints and proofs of the sealed log."""
    MANAGE_WEBHOOKS = "manage_webhooks"
    """Say who is told of what happened."""
    KEEP_LOANS = "keep_loans"
    """Tell the loan book of grants, payments and all else."""
    READ_LOANS = "read_loans"
    CLASSIFY_LOANS = "classify_loans"
    """Propose the classes of a month, and confirm or set them."""


_P = Permission
GRANTED: dict[Role, frozenset[Permission]] = {
    Role.INTEGRATION_ENGINEER: frozenset({
        _P.DECIDE, _P.PREFILL, _P.MANAGE_CONSENTS, _P.READ_DECISIONS, _P.READ_REGISTRY, _P.SEND_RECORDS,
        _P.HANDLE_DISPUTES, _P.EXERCISE_RIGHTS, _P.MANAGE_WEBHOOKS, _P.KEEP_LOANS, _P.READ_LOANS,
    }),
    Role.ANALYST: frozenset({_P.SUBMIT, _P.READ_REGISTRY, _P.READ_DECISIONS, _P.REPLAY}),
    Role.RISK_OFFICER: frozenset({
        _P.APPROVE, _P.ACTIVATE, _P.SUBMIT, _P.READ_REGISTRY, _P.READ_DECISIONS, _P.READ_RECEIPTS, _P.REPLAY,
        _P.HANDLE_ALERTS, _P.RESOLVE, _P.HANDLE_DISPUTES, _P.READ_CASES, _P.DECIDE_CASES,
        _P.STOP_APPROVALS, _P.READ_LOANS, _P.CLASSIFY_LOANS,
    }),
    Role.AUDITOR: frozenset({
        _P.READ_REGISTRY, _P.READ_DECISIONS, _P.READ_RECEIPTS, _P.REPLAY, _P.READ_ACCESS_LOG, _P.READ_CASES,
        _P.READ_LOG, _P.READ_LOANS,
    }),
    Role.ADMINISTRATOR: frozenset({_P.ADMINISTER, _P.READ_REGISTRY, _P.ERASE, _P.MANAGE_WEBHOOKS}),
}  # fmt: skip
"""No role may do everything: who administers does not decide, who audits does not change."""


class NotPermitted(Forbidden):
    """A known actor whose roles do not allow it."""

    def __init__(self, actor: str, permission: Permission) -> None:
        able = sorted(role.value for role, granted in GRANTED.items() if permission in granted)
        super().__init__(
            f"{actor} may not {permission.value.replace('_', ' ')}.",
            remedy=f"It takes one of these roles: {', '.join(able)}.",
        )


class OutOfScope(Forbidden):
    """A key that is limited to other things than its actor may do."""

    def __init__(self, actor: str, what: str) -> None:
        super().__init__(
            f"this key of {actor} is not for {what}.",
            remedy="Take a key that is: `yidai tokens list` says what each is for.",
        )


class NobodyKnown(Unauthenticated):
    """No token, or one that is unknown, expired or revoked."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            problem,
            remedy="Send `Authorization: Bearer <token>` (for a command: export YIDAI_TOKEN); "
            "`yidai tokens create` makes one.",
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """What a key is limited to; None is no limit. A limit never gives what the actor's roles do not."""

    permissions: frozenset[Permission] | None = None
    products: frozenset[str] | None = None

    @staticmethod
    def of(permissions: Iterable[Permission], products: Iterable[str]) -> Scope:
        """Limited to these, where there are any."""
        return Scope(frozenset(permissions) or None, frozenset(products) or None)

    @staticmethod
    def read(permissions: Iterable[str] | None, products: Iterable[str] | None) -> Scope:
        """As it is stored."""
        return Scope(
            None if permissions is None else frozenset(map(Permission, permissions)),
            None if products is None else frozenset(products),
        )


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or system of one tenant, and what the key is for by which it asks."""

    actor_id: UUID
    name: str
    tenant: str
    roles: frozenset[Role]
    scope: Scope = Scope()

    def allowed(self, permission: Permission) -> Authority:
        """The authority to do this.

        Raises:
            NotPermitted: no role of the actor grants it.
            OutOfScope: the key is for other things.
        """
        if not any(permission in GRANTED[role] for role in self.roles):
            raise NotPermitted(self.name, permission)
        if self.scope.permissions is not None and permission not in self.scope.permissions:
            raise OutOfScope(self.name, permission.value)
        return Authority(self, permission)


@dataclass(frozen=True, slots=True)
class Authority:
    """An actor, one permission and the tenant, made by ``Actor.allowed`` only."""

    actor: Actor
    permission: Permission

    @property
    def tenant(self) -> str:
        """The only tenant whose data this authority reaches."""
        return self.actor.tenant

    def about(self, product: str) -> Authority:
        """Itself, if its key is for applications for this product.

        Raises:
            OutOfScope: it is for other products.
        """
        products = self.actor.scope.products
        if products is not None and product not in products:
            raise OutOfScope(self.actor.name, f"the product {product}")
        return self

    def holds(self, permission: Permission) -> Authority:
        """Itself, if it is for that permission; every use case asks this first.

        Raises:
            NotPermitted: it was given for something else.
        """
        if self.permission is not permission:
            raise NotPermitted(self.actor.name, permission)
        return self
