"""The one NinjaAPI, mounted at the root."""

from ninja import NinjaAPI

api = NinjaAPI(title="AlphaSwarm", docs_url="/api/docs", openapi_url="/api/openapi.json")
