"""Makes the translations that a wheel holds, from the .po files, while the wheel is built."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BuildHook(BuildHookInterface):  # type: ignore[type-arg]  # by a build's configuration, which this one has none of
    """Runs before hatchling collects the files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make each .mo; the module is loaded by its path, since Comptoir is not installed where it is built."""
        package = Path(self.root) / "src" / "comptoir"
        spec = importlib.util.spec_from_file_location("catalogues", package / "kit" / "catalogues.py")
        assert spec is not None  # noqa: S101
        assert spec.loader is not None  # noqa: S101
        catalogues = importlib.util.module_from_spec(spec)
        sys.modules["catalogues"] = catalogues  # a dataclass looks its module up
        spec.loader.exec_module(catalogues)
        catalogues.make(package / "locale")
