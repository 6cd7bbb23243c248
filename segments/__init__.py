"""WHAT CAN RUN: segments, their contract and catalog."""
