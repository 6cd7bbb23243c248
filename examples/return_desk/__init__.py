"""The return desk: refunds the cancelled invoices of a shop, each exactly once."""
