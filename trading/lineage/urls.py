"""Pages of metadata, included below /ui/ in the namespace ``ui``."""

from django.urls import path

from trading.lineage import views

urlpatterns = [
    path("metadata/", views.metadata, name="metadata"),
    path("metadata/<str:urn>/", views.aspects, name="aspects"),
]
