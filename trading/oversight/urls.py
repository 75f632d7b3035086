"""The Risk page and its lists."""

from django.urls import path

from trading.oversight import views

urlpatterns = [
    path("risk/", views.risk, name="risk"),
    path("risk/events/", views.risk_events, name="risk_events"),
]
