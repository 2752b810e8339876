"""Django's settings, built from `kit.settings`. Start processes through `comptoir`, which finds the database first."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg.conninfo
from csp.constants import NONCE, NONE, SELF

from comptoir.kit import catalogues
from comptoir.kit.errors import ConfigError
from comptoir.kit.settings import secret_keys, settings

_ours = settings()
_keys = secret_keys(_ours)

SECRET_KEY = _keys[0]
SECRET_KEY_FALLBACKS = _keys[1:]
DEBUG = _ours.debug


def _database(url: str) -> dict[str, Any]:
    parts = psycopg.conninfo.conninfo_to_dict(url) if url else {}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", "comptoir"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        # Each ASGI request runs in a thread of its own: a pool, not one connection per thread.
        "CONN_MAX_AGE": 0,
        # The pool looks at a connection before it hands it out, so that nobody meets those that a restart of PostgreSQL broke.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "pool": {"min_size": 1, "max_size": max(16, _ours.concurrency * 3), "timeout": 15, "max_idle": 60},
            "application_name": "comptoir",
            # Django turns prepared statements off; `kit.sql` asks for them where a long statement is to be planned once.
            "prepare_threshold": 5,
            **parts,
        },
        "TEST": {"TEMPLATE": "template0"},
    }


DATABASES = {"default": _database(_ours.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "comptoir.web",
    "comptoir.alerts",
    "comptoir.webhooks",
    "comptoir.staging",
    "comptoir.offers",
    "comptoir.engine",
    "comptoir.commerce.purchasing",
    "comptoir.commerce.shipments",
    "comptoir.commerce.orders",
    "comptoir.commerce.inventory",
    "comptoir.commerce.catalog",
    "comptoir.channels",
    "comptoir.accounts",
    "comptoir.events",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.usersessions",
    "django_htmx",
    "heroicons",
    "csp",
    "procrastinate.contrib.django",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "comptoir.web.zeros.refused",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "comptoir.web.me.sessions_are_seen",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "comptoir.web.zone.in_the_zone_of_the_person",
    "comptoir.web.again.repeated",
]

ROOT_URLCONF = "comptoir.config.urls"
ASGI_APPLICATION = "comptoir.config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "comptoir.web.context.frame",
            ],
            "builtins": ["django.templatetags.i18n", "django.templatetags.static"],
        },
    }
]

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "comptoir.accounts.adapter.Adapter"
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/5m/key", "welcome": "10/m/ip", "join": "10/m/ip"}
# Where those tries are counted: in the database, so that all web processes count together.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "accounts_counted",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
}
ACCOUNT_REAUTHENTICATION_TIMEOUT = (
    300  # seconds after which the password is asked again before the second factor changes
)
MFA_ADAPTER = "comptoir.accounts.second_factor.Adapter"
MFA_FORMS = {
    "authenticate": "comptoir.accounts.second_factor.SignInForm",
    "reauthenticate": "comptoir.accounts.second_factor.AgainForm",
}
MFA_TOTP_ISSUER = "Comptoir"
MFA_TOTP_TOLERANCE = 1  # a telephone's clock may be half a minute off; the forms above refuse a code that was used
SOCIALACCOUNT_ADAPTER = "comptoir.accounts.sso.Adapter"
SOCIALACCOUNT_LOGIN_ON_GET = (
    True  # our policy lets no form lead elsewhere; what begins here is bound to the session by `state`
)
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {}
if _ours.oidc_url:
    SOCIALACCOUNT_PROVIDERS["openid_connect"] = {
        "APPS": [
            {
                "provider_id": "sso",
                "name": _ours.oidc_name,
                "client_id": _ours.oidc_client_id,
                "secret": _ours.oidc_client_secret,
                "settings": {"server_url": _ours.oidc_url, "oauth_pkce_enabled": True},
            }
        ]
    }
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"

_public = urlsplit(_ours.public_url)
ALLOWED_HOSTS = [h.strip() for h in _ours.allowed_hosts.split(",") if h.strip()] + ["localhost", "127.0.0.1", "[::1]"]
if _public.hostname:
    ALLOWED_HOSTS.append(_public.hostname)
    CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
_https = _public.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_NAME = "comptoir_session"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "comptoir_csrf"
SECURE_HSTS_SECONDS = 31536000 if _https else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
ALLAUTH_TRUSTED_PROXY_COUNT = _ours.proxies
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

if _ours.mail_url:
    _mail = urlsplit(_ours.mail_url)
    if _mail.scheme not in ("smtp", "smtps") or not _mail.hostname:
        raise ConfigError(
            "COMPTOIR_MAIL_URL must be smtp://user:password@host:587 or smtps://…", name="COMPTOIR_MAIL_URL"
        )
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_mail.username or ""), unquote(_mail.password or "")
    EMAIL_USE_SSL = _mail.scheme == "smtps"
    EMAIL_USE_TLS = not EMAIL_USE_SSL and bool(EMAIL_HOST_USER)
    EMAIL_PORT = _mail.port or (465 if EMAIL_USE_SSL else 587 if EMAIL_USE_TLS else 25)
EMAIL_HOST = (urlsplit(_ours.mail_url).hostname or "") if _ours.mail_url else ""  # empty: no mail is sent
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = _ours.mail_from or f"comptoir@{_public.hostname or 'localhost'}"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français"), ("es", "Español")]  # each in its own words
LOCALE_PATHS = [Path(__file__).parent.parent / "locale"]
catalogues.make_if_possible(LOCALE_PATHS[0])
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True  # served from the package: nothing is collected, so there is no STATIC_ROOT
WHITENOISE_AUTOREFRESH = DEBUG
MEDIA_ROOT = _ours.data_folder / "media"
DATA_UPLOAD_MAX_MEMORY_SIZE = _ours.max_upload_mb * 1024 * 1024

LOGGING_CONFIG = None  # kit.log sets up every process
SILENCED_SYSTEM_CHECKS: list[str] = []
