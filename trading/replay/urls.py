"""The replay of a run, among its pages."""

from django.urls import path

from trading.replay import views

urlpatterns = [
    path("runs/<uuid:run_id>/replay/", views.replay_run, name="replay"),
    path("runs/<uuid:run_id>/parity/", views.parity_run, name="parity"),
]
