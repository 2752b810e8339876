"""Every setting: name, type, default, one sentence. Read once from `COMPTOIR_*`; any secret also as `COMPTOIR_*_FILE`.

Merchant choices (schedules, mappings, buffers) live in the database, not here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from comptoir.kit import ids
from comptoir.kit.errors import ConfigError
from comptoir.kit.secrets import Secret


def _data_folder() -> Path:
    if os.name == "posix" and os.geteuid() == 0:
        return Path("/var/lib/comptoir/data")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "comptoir"


def _setting(default: Any, text: str, *, least: int = 1, most: int | None = None, among: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"text": text, "least": least, "most": most, "among": among})


@dataclass(frozen=True)
class Settings:
    """What the operator of a machine decides. A bad value stops the start with a sentence."""

    data_folder: Path = _setting(None, "Where the embedded database, files and generated keys live.")
    database_url: Secret = _setting(
        Secret(""), "A PostgreSQL to use instead of the embedded one: postgresql://user:password@host/name."
    )
    secret_key: Secret = _setting(
        Secret(""),
        "Signs sessions and encrypts credentials; several by blank, newest first. Made and kept in the data folder when empty.",
    )
    host: str = _setting("127.0.0.1", "The address that the web server listens on.")
    port: int = _setting(
        8420, "The port that the web server listens on; 0 lets the kernel choose.", least=0, most=65535
    )
    public_url: str = _setting(
        "", "The address under which browsers and shops reach this hub, such as https://hub.example."
    )
    allowed_hosts: str = _setting(
        "", "Host names that requests may name, by comma; those of the public address are always allowed."
    )
    proxies: int = _setting(
        0,
        "Proxies in front of the hub that add to X-Forwarded-For: so many entries from its end are believed, to tell who signs in.",
        least=0,
    )
    workers: int = _setting(1, "Worker processes of `comptoir serve`.")
    concurrency: int = _setting(8, "Jobs that one worker process runs at once.")
    debug: bool = _setting(False, "Django's debug pages; never in production.")
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR.", among=("DEBUG", "INFO", "WARNING", "ERROR"))
    allow_private_addresses: bool = _setting(
        False, "Let channels and outgoing addresses be on private networks or this machine."
    )
    max_body_mb: int = _setting(32, "Answers of channels larger than this are refused while they are read.")
    max_upload_mb: int = _setting(64, "Uploaded files larger than this are refused.")
    max_tokens: int = _setting(11, "API tokens that may be live at the same time.")
    invitation_days: int = _setting(7, "Days that an invitation to this hub can be accepted.")
    mail_url: Secret = _setting(
        Secret(""),
        "The server that sends mail: smtp://user:password@host:587 (encrypted by STARTTLS where a user is named),"
        " or smtps://…:465; empty: no mail is sent.",
    )
    mail_from: str = _setting("", "The address that mails come from; empty: comptoir@ the public address.")
    oidc_url: str = _setting(
        "",
        "An OpenID Connect provider where people may sign in, such as https://login.example/realms/shop; give"
        " it /account/sso/callback/ of this hub as the address to come back to.",
    )
    oidc_client_id: str = _setting("", "What the OpenID Connect provider calls this hub.")
    oidc_client_secret: Secret = _setting(Secret(""), "The secret that the OpenID Connect provider gave to this hub.")
    oidc_name: str = _setting("OpenID Connect", "What the provider is called on the page where people sign in.")
    keep_runs_days: int = _setting(
        90, "Days that runs which ended are kept; the last of each flow stay, and what the books need."
    )
    keep_previews_days: int = _setting(
        14, "Days that previews are kept with all their lines; the last of each flow stays."
    )
    keep_findings_days: int = _setting(180, "Days that findings are kept after they were closed.")
    keep_deliveries_days: int = _setting(30, "Days that webhooks are kept after they came and were dealt with.")
    keep_raw_days: int = _setting(
        180, "Days that the answers of shops are kept as received beside sales that are settled; the sale itself stays."
    )

    keep_inputs_days: int = _setting(
        14, "Days that what a run heard and made of it is kept, so that the run can be replayed with newer code."
    )
    keep_inputs_runs: int = _setting(500, "Runs of one flow, the newest, of which that is kept within those days.")
    keep_inputs_mb: int = _setting(
        8, "Megabytes, packed, of what is kept of one run; of all runs of one flow 25 times that."
    )

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """From environment variables; unknown `COMPTOIR_*` names are refused, since a typing mistake would pass in silence."""
        types = get_type_hints(cls)
        known = {f"COMPTOIR_{f.name.upper()}": f for f in fields(cls)}
        values: dict[str, Any] = {}
        for name, text in environment.items():
            if not name.startswith("COMPTOIR_") or name.startswith("COMPTOIR_TEST_") or name == "COMPTOIR_SHARED":
                continue
            base = name.removesuffix("_FILE")
            if name in known:
                wanted = known[name]
            elif base != name and base in known and types[known[base].name] is Secret:
                wanted, text = known[base], _file(name, text)
            else:
                raise ConfigError(f"{name} is not a setting of Comptoir; see docs/reference/settings.md", name=name)
            values[wanted.name] = _typed(name, types[wanted.name], text, wanted.metadata)
        if values.get("data_folder") is None:
            values["data_folder"] = _data_folder()
        if values.get("oidc_url") and not values.get("oidc_client_id"):
            raise ConfigError("COMPTOIR_OIDC_URL needs COMPTOIR_OIDC_CLIENT_ID", name="COMPTOIR_OIDC_CLIENT_ID")
        return cls(**values)


def _file(name: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise ConfigError(f"{name} names {path}, which cannot be read: {error.strerror}", name=name) from error


def _typed(name: str, kind: Any, text: str, bounds: Mapping[str, Any]) -> Any:
    if bounds["among"] and text not in bounds["among"]:
        raise ConfigError(f"{name} is {text!r}; it may be {', '.join(bounds['among'])}", name=name)
    if kind is bool:
        if text.lower() not in ("1", "0", "true", "false", "yes", "no"):
            raise ConfigError(f"{name} is {text!r}; it may be yes or no", name=name)
        return text.lower() in ("1", "true", "yes")
    if kind is int:
        try:
            number = int(text)
        except ValueError as error:
            raise ConfigError(f"{name} is {text!r}; it must be a whole number", name=name) from error
        least, most = bounds["least"], bounds["most"]
        if number < least or (most is not None and number > most):
            span = f"from {least} to {most}" if most is not None else f"{least} or more"
            raise ConfigError(f"{name} is {number}; it must be {span}", name=name)
        return number
    if kind is Path:
        return Path(text).expanduser().absolute()
    return kind(text)


@cache
def settings() -> Settings:
    """This process's settings, read at the first call."""
    return Settings.read(os.environ)


def secret_keys(given: Settings) -> list[str]:
    """The keys, newest first: those given, else one made at first start and kept in the data folder with mode 0600."""
    if given.secret_key:
        return given.secret_key.split()
    path = given.data_folder / "secret-key"
    if not path.exists():
        given.data_folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"secret-key.{os.getpid()}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(ids.token(48))
        try:
            os.link(draft, path)  # whole or not at all: another process may be starting too
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().split()
