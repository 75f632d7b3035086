"""Pages of accounts at venues, included below /ui/ in the namespace ``ui``."""

from django.urls import path

from trading.venues import views

urlpatterns = [
    path("accounts/", views.accounts, name="accounts"),
    path("accounts/<slug:name>/", views.account, name="venue_account"),
    path("accounts/<slug:name>/test/", views.test, name="account_test"),
    path("accounts/<slug:name>/promote/", views.promote, name="account_promote"),
    path("accounts/<slug:name>/demote/", views.demote, name="account_demote"),
]
