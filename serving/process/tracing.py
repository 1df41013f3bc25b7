"""Traces by OpenTelemetry, where a collector is named (`OTEL_EXPORTER_OTLP_ENDPOINT`); else nothing of it is even loaded.

Spans name what is done and how many, never whom: no attribute holds a number, a name, a token or a body.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI
    from opentelemetry.trace import Link, SpanContext, Tracer

_NAMED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_UNTRACED = "health/live,health/ready,metrics"
_NOTHING: AbstractContextManager[Any] = nullcontext()
_tracer: Tracer | None = None


def wanted(environment: Mapping[str, str] | None = None) -> bool:
    """Whether a collector is named."""
    source = os.environ if environment is None else environment
    return any(source.get(name) for name in _NAMED)


def open_tracing(app: FastAPI) -> None:
    """Trace the requests of an application, if a collector is named; a caller's `traceparent` is taken over."""
    if not wanted():
        return
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        provider = TracerProvider(resource=Resource.create({"service.name": "yidai"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)
    trace_with(trace.get_tracer("yidai"), app)


def trace_with(tracer: Tracer, app: FastAPI | None = None) -> None:
    """Make spans with this tracer from here on, also one a request of ``app``."""
    global _tracer  # noqa: PLW0603 - one a process, as the library's own provider is
    _tracer = tracer
    if app is not None:
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

        FastAPIInstrumentor.instrument_app(app, excluded_urls=_UNTRACED, exclude_spans=["send", "receive"])


def close_tracing() -> None:
    """Send what is not sent yet."""
    if _tracer is not None:
        from opentelemetry import trace

        flush = getattr(trace.get_tracer_provider(), "force_flush", None)
        if flush is not None:
            flush(5_000)


def span(name: str, **attributes: int) -> AbstractContextManager[Any]:
    """A part of the work that runs now; free where nothing is traced."""
    if _tracer is None:
        return _NOTHING
    return _tracer.start_as_current_span(name, attributes=attributes)


def here() -> SpanContext | None:
    """The request that is being answered, for what is done for many at once."""
    if _tracer is None:
        return None
    from opentelemetry import trace

    return trace.get_current_span().get_span_context()


def group(name: str, asked: Iterable[SpanContext | None]) -> AbstractContextManager[Any]:
    """Work that is done for several requests together: a part of the first, with a link to each."""
    if _tracer is None:
        return _NOTHING
    from opentelemetry import trace

    found = [each for each in asked if each is not None and each.is_valid]
    links: list[Link] = [trace.Link(each) for each in found]
    parent = trace.set_span_in_context(trace.NonRecordingSpan(found[0])) if found else None
    return _tracer.start_as_current_span(
        name, context=parent, links=links, attributes={"yidai.group": len(found)}
    )
