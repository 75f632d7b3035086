"""Pages of whole accounts, included below /ui/ in the namespace ``ui``."""

from django.urls import path

from trading.account_room import views

urlpatterns = [
    path("risk/accounts/<slug:name>/limits/", views.limits, name="account_limits"),
    path("risk/breakers/<slug:name>/reset/", views.reset, name="breaker_reset"),
]
