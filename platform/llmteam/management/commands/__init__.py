"""The installation's own commands; an app's are in the app."""
