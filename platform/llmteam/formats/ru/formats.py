"""Times to the second with their zone, as in English; dates as Django writes them."""

DATETIME_FORMAT = "Y-m-d H:i:s e"
