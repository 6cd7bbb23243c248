"""A host: one event loop in a worker, with many runs.

It holds a lease, claims runs when the doorbell rings and at each sweep, shares the loop among their tenants, and gives
everything back when it stops. What all its runs use (connections, clock, writer, caches) are its services
(``runs.engine.services``).
"""
