"""The OpenID Connect provider that the operator named, as allauth speaks with it. Imported at the first sign-in there:
the HTTP library beneath costs memory that a house without single sign-on need not spend."""

from __future__ import annotations

import hmac
from typing import Any

from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.providers import registry
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest
from django.urls import reverse

from comptoir.accounts import sso
from comptoir.kit import ids

NONCES = "sso_nonces"  # in the session: state -> nonce, of sign-ins that were begun
KEPT = 5


class Provider(OpenIDConnectProvider):  # type: ignore[misc]  # allauth ships no types
    """One provider, at addresses of ours, asked for a nonce."""

    def get_login_url(self, request: HttpRequest, **kwargs: Any) -> str:
        """Where the button leads."""
        return reverse("sso_begin")

    def get_callback_url(self) -> str:
        """Where the provider sends people back to."""
        return reverse("sso_callback")

    def get_oauth2_adapter(self, request: HttpRequest) -> OpenIDConnectOAuth2Adapter:
        """Ours."""
        return Adapter(request)

    def get_redirect_from_request_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        """To sign in, and for nothing else that an address may ask."""
        return {**super().get_redirect_from_request_kwargs(request), "process": "login"}

    def get_scope_from_request(self, request: HttpRequest) -> list[str]:
        """Ours alone: an address that somebody made up asks for no more."""
        return list(self.get_scope())

    def get_auth_params_from_request(self, request: HttpRequest, action: str) -> dict[str, str]:
        """The same."""
        return {"nonce": _begin(request)}


class Adapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]  # allauth ships no types
    """Reads what the provider says of a person, and believes only what is signed."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request, sso.PROVIDER)

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        """The address that the provider knows."""
        return request.build_absolute_uri(reverse("sso_callback"))

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        """Who it is. The ID token is a must; what the provider says besides counts only of the same person."""
        text = kwargs["response"].get("id_token")
        if not text:
            raise OAuth2Error("the provider gave no ID token")
        claims = self._decode_id_token(app, text)
        if not _spend(request, str(claims.get("nonce") or "")):
            raise OAuth2Error("the ID token is not of this sign-in")
        if not claims.get("email") and self.openid_config.get("userinfo_endpoint"):
            more = self._fetch_user_info(token.token)
            if more.get("sub") != claims["sub"]:
                raise OAuth2Error("the provider tells of somebody else")
            claims = {**more, **claims}
        known = {name: claims[name] for name in ("sub", "email", "email_verified", "name") if name in claims}
        known["email_verified"] = known.get("email_verified") in (True, "true")  # some providers write it as a text
        return self.get_provider().sociallogin_from_response(request, {"userinfo": known})

    def _decode_id_token(self, app: Any, id_token: str) -> dict[str, Any]:
        """Signed for us by the provider, and not expired; checked whichever way it came."""
        config = self.openid_config
        found: dict[str, Any] = jwtkit.verify_and_decode(
            credential=id_token, keys_url=config["jwks_uri"], issuer=config["issuer"], audience=app.client_id,
            lookup_kid=jwtkit.lookup_kid_jwk,
        )  # fmt: skip
        return found


def _begin(request: HttpRequest) -> str:
    nonce = ids.token()
    request.session[NONCES] = [*request.session.get(NONCES, [])[1 - KEPT :], nonce]
    return nonce


def _spend(request: HttpRequest, nonce: str) -> bool:
    """Whether this browser began a sign-in with it; each counts once."""
    kept = list(request.session.get(NONCES, []))
    found = [one for one in kept if hmac.compare_digest(one.encode(), nonce.encode())]
    request.session[NONCES] = [one for one in kept if one not in found]
    return bool(nonce and found)


registry.register(Provider)
begin = OAuth2LoginView.adapter_view(Adapter)
callback = OAuth2CallbackView.adapter_view(Adapter)
