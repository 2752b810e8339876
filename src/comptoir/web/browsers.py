"""What a browser is called: enough to recognise one's own machine in a list, and no more."""

from __future__ import annotations

from django.utils.translation import gettext as _

#: The first word found decides: some name those that they descend from, later in the text.
BROWSERS = (
    ("Edg", "Edge"), ("OPR", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"), ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)  # fmt: skip
SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


def name(agent: str) -> str:
    """“Firefox, Linux” for what a browser says of itself; its own words where it is none that we know."""
    browser = next((title for word, title in BROWSERS if word in agent), "")
    system = next((title for word, title in SYSTEMS if word in agent), "")
    known = ", ".join(filter(None, (browser, system)))
    return known or agent[:60] or _("unknown")
