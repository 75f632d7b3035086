"""The pages of bots."""

from django.urls import path

from trading.bots import views

urlpatterns = [
    path("bots/", views.bots, name="bots"),
    path("bots/new/", views.bot_new, name="bot_new"),
    path("bots/<uuid:bot_id>/", views.bot, name="bot"),
    path("bots/<uuid:bot_id>/recipe/", views.bot_recipe, name="bot_recipe"),
    path("bots/<uuid:bot_id>/backtest/", views.bot_backtest, name="bot_backtest"),
    path("bots/<uuid:bot_id>/paper/", views.bot_paper, name="bot_paper"),
]
