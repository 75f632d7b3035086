"""The Risk page, its lists, and the way back of a run that is held back."""

from django.urls import path

from trading.oversight import views

urlpatterns = [
    path("risk/", views.risk, name="risk"),
    path("runs/<uuid:run_id>/resume/", views.resume, name="run_resume"),
    path("risk/events/", views.risk_events, name="risk_events"),
]
