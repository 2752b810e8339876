"""Where every address leads."""

from allauth.account import views as account
from django.urls import URLPattern, URLResolver, include, path

from comptoir.web import metrics

# Of allauth only what a closed house needs: nobody signs up, and a forgotten password is reset by the owner.
urlpatterns: list[URLPattern | URLResolver] = [
    path("account/login/", account.login, name="account_login"),
    path("account/logout/", account.logout, name="account_logout"),
    path("account/inactive/", account.account_inactive, name="account_inactive"),
    path("metrics", metrics.metrics, name="metrics"),
    path("api/", include("comptoir.api.urls")),
    path("", include("comptoir.web.urls")),
]
