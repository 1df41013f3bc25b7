"""What a policy says of its own trial: what a day may have, who decides about whom, when it has gone wrong."""

from __future__ import annotations

from serving.policy.lending import Document


class Breaker(Document, frozen=True, omit_defaults=True):
    """The most that the machine approves on one day of China, of some products and by some models (empty: of all).

    Approvals, their limits in fen, their expected losses (limit x PD x ``lgd_ppm``) in fen; beyond it a person decides.
    """

    id: str
    products: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    daily_count: int | None = None
    daily_amount_fen: int | None = None
    daily_loss_fen: int | None = None
    lgd_ppm: int | None = None


class Guardrails(Document, frozen=True):
    """When an experiment has gone wrong: the challenger's bad rate beyond so many times the champion's, its approval
    rate more than so much (a part of one) below; neither is judged before ``min_outcomes`` of each arm.
    """

    min_outcomes: int
    max_bad_rate_ratio: float
    max_approval_drop: float


class Experiment(Document, frozen=True, omit_defaults=True):
    """A split of subjects: the model ``challenger`` decides about ``share_ppm`` of them, the policy's about the rest.

    It runs from the day ``effective_from`` to the day before ``effective_to`` in China.
    """

    id: str
    challenger: str
    share_ppm: int
    effective_from: str
    effective_to: str = ""
    guardrails: Guardrails | None = None
