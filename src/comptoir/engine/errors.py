"""What can stop a run that is not the channel's doing.

ComptoirError
├── Fenced      another worker holds this run now: whatever was being done is rolled back, nobody is told
└── Stopped     asked to stop between two steps, by a person or because this process ends
"""

from __future__ import annotations

from comptoir.kit.errors import ComptoirError


class Fenced(ComptoirError):
    """This attempt is no longer the one that counts."""


class Stopped(ComptoirError):
    """Asked to stop; what was done up to the last checkpoint stays. Fact: `cancelled`."""
