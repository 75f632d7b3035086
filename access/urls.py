from django.urls import path

from access import views

app_name = "access"
urlpatterns = [
    path("login/", views.login, name="login"),
    path("logout/", views.logout, name="logout"),
    path("account/", views.account, name="account"),
    path("account/password/change/", views.change_password, name="change_password"),
    path("account/second-factor/begin/", views.begin_enrolment, name="begin_enrolment"),
    path("account/second-factor/confirm/", views.confirm_enrolment, name="confirm_enrolment"),
    path("account/second-factor/verify/", views.verify, name="verify"),
]
