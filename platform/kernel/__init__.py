"""The base every app stands on: errors, values, ids, clock, canonical JSON and the one door out (egress)."""
