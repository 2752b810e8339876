"""Machine-readable contracts of other people's services, out of packages that npm fetches when a test asks for them: each held
to a digest that is written down here, kept in an ignored folder, never committed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

KEPT = Path(__file__).parents[2] / "build" / "contracts"
FETCH_SECONDS = 120


@dataclass(frozen=True)
class Package:
    """A package in one version, and the sha512 of what npm packs of it."""

    name: str
    version: str
    sha512: str

    @property
    def file(self) -> Path:
        """Where it is kept, under the name that `npm pack` gives it."""
        return KEPT / f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"

    def read(self, member: str) -> bytes:
        """One file of the package; skips the test where it cannot be had and nobody insists."""
        self._fetch()
        with tarfile.open(self.file) as archive:
            found = archive.extractfile(f"package/{member}")
            assert found is not None, f"{member} is not in {self.name} {self.version}"
            return found.read()

    def _fetch(self) -> None:
        if not self.file.exists():
            KEPT.mkdir(parents=True, exist_ok=True)
            npm = shutil.which("npm")
            if npm is None:
                _without(f"{self.name} {self.version}: there is no npm")
            assert npm is not None
            with tempfile.TemporaryDirectory(dir=KEPT) as apart:  # another worker may be fetching the same
                packed = subprocess.run(
                    [npm, "pack", "--silent", f"{self.name}@{self.version}"],
                    cwd=apart,
                    capture_output=True,
                    text=True,
                    timeout=FETCH_SECONDS,
                    check=False,
                )
                if packed.returncode:
                    _without(f"{self.name} {self.version} could not be fetched: {packed.stderr.strip()[-200:]}")
                (Path(apart) / self.file.name).replace(self.file)
        digest = hashlib.sha512(self.file.read_bytes()).hexdigest()
        assert digest == self.sha512, f"{self.file.name} is not the package that was looked at"


def _without(reason: str) -> None:
    if os.environ.get("CI") or os.environ.get("COMPTOIR_TEST_CONTRACTS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)
