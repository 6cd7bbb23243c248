"""Webhook endpoints: URLs of a tenant that are told of events of all its runs, each in a numbered row.

It stands above ``callbacks``, whose addresses, signatures, schedule and deliveries it shares, and below the engine,
which hands events out and sends them.
"""
