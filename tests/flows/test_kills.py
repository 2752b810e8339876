"""A process killed at any instruction costs time, never data: struck at every commit and every call of a real flow in
turn, with a shop that lives elsewhere and remembers what really arrived."""

from __future__ import annotations

import itertools
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
import shop_world
from django.db import transaction
from proof_children import KILLED, STRIKES, Children, children, lease_runs_out
from shop_world import World

from comptoir.channels import channel as channels
from comptoir.channels import pace
from comptoir.channels.http import HttpDoor
from comptoir.channels.models import Channel
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.records import Fact, Receipt
from comptoir.commerce.orders.models import Line as OrderLine
from comptoir.commerce.orders.models import Order
from comptoir.commerce.shipments import actions as shipments
from comptoir.connectors.prestashop.simulator import Line, PrestaShopSimulator
from comptoir.engine import queue, runs
from comptoir.engine.models import Effect, Flow, Run, Trigger
from comptoir.flows import house
from comptoir.kit import clock, sql
from comptoir.kit.actor import SYSTEM
from comptoir.offers.models import Offer
from comptoir.simulators import server
from comptoir.staging.models import StagedSale

pytestmark = [pytest.mark.kill]

STOCK = 500
