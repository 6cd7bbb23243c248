"""Bounds of webhook endpoints."""

from datetime import timedelta
from typing import Final

MAX_ENDPOINTS: Final = 1_000
"""Most endpoints of a tenant."""
MAX_WAITING: Final = 10_000
"""Most events that wait for one endpoint; what comes beyond is kept in its log and not sent."""
MAX_REDELIVERED: Final = 1_000
"""Most events that one request sends again."""
MAX_SEGMENTS: Final = 100
NOTICE_DAYS: Final = (1, 3, 4)
"""Days of failure after which admins are told."""
DISABLED_AFTER: Final = timedelta(days=5)
CHECKPOINT_PACE: Final = timedelta(minutes=1)
"""Least time between two checkpoints that a tenant's endpoints are told of."""
