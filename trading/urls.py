"""The pages, in the namespace ``ui`` below /ui/; those of the kill switch are risk's."""

from django.urls import include, path

from trading import views
from trading.tearsheet import views as tearsheet

app_name = "ui"
urlpatterns = [
    path("portfolio/", views.portfolio, name="portfolio"),
    path("portfolio/chart/", views.portfolio_chart, name="portfolio_chart"),
    path("modes/", views.modes, name="modes"),
    path("runs/", views.runs, name="runs"),
    path("runs/stop-all/", views.stop_all, name="stop_all"),
    path("runs/stop/", views.stop_chosen, name="stop_chosen"),
    path("runs/halt/", views.halt_chosen, name="halt_chosen"),
    path("runs/<uuid:run_id>/", views.run, name="run"),
    path("runs/<uuid:run_id>/chart/", views.run_chart, name="run_chart"),
    path("runs/<uuid:run_id>/bars/", views.run_bars, name="run_bars"),
    path("runs/<uuid:run_id>/orders/", views.run_orders, name="run_orders"),
    path("runs/<uuid:run_id>/fills/", views.run_fills, name="run_fills"),
    path("runs/<uuid:run_id>/stop/", views.stop, name="stop"),
    path("", include("trading.bots.urls")),
    path("", include("trading.replay.urls")),
    path("", include("trading.start_room.urls")),
    path("", include("trading.sweeps.urls")),
    path("", include("trading.trail.urls")),
    path("", include("trading.venues.urls")),
    path("", include("trading.account_room.urls")),
    path("", include("trading.inbox.urls")),
    path("", include("trading.ledger_room.urls")),
    path("", include("trading.lineage.urls")),
    path("", include("trading.oversight.urls")),
    path("", include("trading.palette.urls")),
    path("backtests/", tearsheet.backtests, name="backtests"),
    path("backtests/compare/", tearsheet.compare, name="compare"),
    path("backtests/compare/lines/", tearsheet.compare_lines, name="compare_lines"),
    path("backtests/<uuid:run_id>/", tearsheet.backtest, name="backtest"),
    path("backtests/<uuid:run_id>/lines/", tearsheet.lines, name="backtest_lines"),
    path("backtests/<uuid:run_id>/prices/", tearsheet.prices, name="backtest_prices"),
    path("backtests/<uuid:run_id>/trades/", tearsheet.trades, name="backtest_trades"),
    path("backtests/<uuid:run_id>/report/", tearsheet.download, name="backtest_report"),
    path("", include("risk.urls")),
]
