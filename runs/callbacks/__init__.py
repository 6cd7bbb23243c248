"""Telling a run's caller what became of it: deliveries, their signatures, their schedule."""
