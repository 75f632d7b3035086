"""OpenTelemetry: spans leave this process only where an OTLP endpoint is named."""

import os

from opentelemetry import trace


def configure() -> None:
    """Export spans to OTEL_EXPORTER_OTLP_ENDPOINT; without it, spans cost next to nothing and go nowhere."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    # A third of a second that only who exports has to wait for.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "alphaswarm"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
