"""The pages of sweeps, part of the namespace ``ui``."""

from django.urls import path

from trading.sweeps import views

urlpatterns = [
    path("sweeps/", views.sweeps, name="sweeps"),
    path("sweeps/new/", views.sweep_new, name="sweep_new"),
    path("sweeps/<uuid:sweep_id>/", views.sweep, name="sweep"),
    path("sweeps/<uuid:sweep_id>/cancel/", views.sweep_cancel, name="sweep_cancel"),
    path("sweeps/<uuid:sweep_id>/trials/", views.sweep_trials, name="sweep_trials"),
    path("sweeps/<uuid:sweep_id>/trials/<int:number>/backtest/", views.trial_backtest, name="trial_backtest"),
]
