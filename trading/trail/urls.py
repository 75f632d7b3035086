"""Why no order? Among a run's pages."""

from django.urls import path

from trading.trail import views

urlpatterns = [path("runs/<uuid:run_id>/why/", views.why, name="why")]
