"""How operators sign in to the console."""
