"""The pages, in the namespace ``ui`` below /ui/; those of the kill switch are risk's."""

from django.urls import include, path

from trading import views

app_name = "ui"
urlpatterns = [
    path("portfolio/", views.portfolio, name="portfolio"),
    path("portfolio/chart/", views.portfolio_chart, name="portfolio_chart"),
    path("modes/", views.modes, name="modes"),
    path("runs/", views.runs, name="runs"),
    path("runs/new/", views.run_new, name="run_new"),
    path("runs/stop-all/", views.stop_all, name="stop_all"),
    path("runs/<uuid:run_id>/", views.run, name="run"),
    path("runs/<uuid:run_id>/chart/", views.run_chart, name="run_chart"),
    path("runs/<uuid:run_id>/bars/", views.run_bars, name="run_bars"),
    path("runs/<uuid:run_id>/orders/", views.run_orders, name="run_orders"),
    path("runs/<uuid:run_id>/fills/", views.run_fills, name="run_fills"),
    path("runs/<uuid:run_id>/stop/", views.stop, name="stop"),
    path("", include("risk.urls")),
]
