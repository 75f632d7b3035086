"""Pages first; the API, whose paths begin at the root, last."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from alphaswarm_site.api import api

urlpatterns = [
    path("", RedirectView.as_view(url="/ui/portfolio/")),
    path("portfolio/", RedirectView.as_view(url="/ui/portfolio/")),
    path("ui/", include("access.urls")),
    path("ui/", include("trading.urls")),
    path("ui/", include("alphaswarm_site.rooms.urls")),
    # One log-in, with one brake on guessing.
    path("admin/login/", RedirectView.as_view(url="/ui/login/", query_string=True)),
    path("admin/", admin.site.urls),
    path("", include("trading.sse")),
    path("", api.urls),
]
