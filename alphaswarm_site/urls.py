"""Pages first; the API, whose paths begin at the root, last."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from alphaswarm_site.api import api

urlpatterns = [
    path("", RedirectView.as_view(url="/ui/portfolio/")),
    path("portfolio/", RedirectView.as_view(url="/ui/portfolio/")),
    path("ui/", include("trading.urls")),
    path("admin/", admin.site.urls),
    path("", api.urls),
]
