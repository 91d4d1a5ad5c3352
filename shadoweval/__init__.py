"""Wires routing and reviews together."""
