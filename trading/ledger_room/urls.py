"""Pages of the ledger, included below /ui/ in the namespace ``ui``."""

from django.urls import path

from trading.ledger_room import views

urlpatterns = [
    path("ledger/", views.ledger, name="ledger"),
    path("ledger/download/", views.download, name="ledger_download"),
]
