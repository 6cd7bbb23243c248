"""Dates that sort, and times to the second with their zone: an operator compares them with logs."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = "Y-m-d H:i:s e"
TIME_FORMAT = "H:i:s"
