"""The console's pages about the audit's logs."""
