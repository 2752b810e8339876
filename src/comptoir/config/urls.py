"""Where every address leads."""

from allauth.account import views as account
from allauth.mfa.base import views as second_factor
from django.urls import URLPattern, URLResolver, include, path

from comptoir.web import metrics, sso

# Of allauth only what a closed house needs: nobody signs up, and a forgotten password is reset by the owner.
urlpatterns: list[URLPattern | URLResolver] = [
    path("account/login/", account.login, name="account_login"),
    path("account/logout/", account.logout, name="account_logout"),
    path("account/inactive/", account.account_inactive, name="account_inactive"),
    path("account/again/", account.reauthenticate, name="account_reauthenticate"),
    path("account/code/", second_factor.authenticate, name="mfa_authenticate"),
    path("account/code/again/", second_factor.reauthenticate, name="mfa_reauthenticate"),
    path("account/sso/", sso.begin, name="sso_begin"),
    path("account/sso/callback/", sso.callback, name="sso_callback"),
    path("metrics", metrics.metrics, name="metrics"),
    path("api/", include("comptoir.api.urls")),
    path("", include("comptoir.web.urls")),
]

handler500 = "comptoir.web.upgrading.server_error"
