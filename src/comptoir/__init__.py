"""Comptoir: a self-hosted commerce hub. Each part is a folder; `config/bootstrap.py` is the only one that knows them all."""

__version__ = "0.1.0"
