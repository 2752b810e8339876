"""The double of a Magento shop. It shares nothing with our client, wire or mapping, so that a misunderstanding shows."""

from comptoir.connectors.magento.simulator.app import MagentoSimulator
from comptoir.connectors.magento.simulator.auth import Keys
from comptoir.connectors.magento.simulator.ordering import Line

#: found by name by `python -m comptoir.simulators`
SIMULATOR = MagentoSimulator

__all__ = ["SIMULATOR", "Keys", "Line", "MagentoSimulator"]
