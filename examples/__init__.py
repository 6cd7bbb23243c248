"""Programs and segments that show the platform at work; no part of the platform imports them."""
