"""The console's pages of runs, where Django looks for them."""

from runs.callbacks import admin as delivery_pages  # noqa: F401 - registers them
from runs.console import admin as run_pages  # noqa: F401 - registers them
from runs.console import connections as connection_pages  # noqa: F401 - registers them
from runs.usage import admin as usage_pages  # noqa: F401 - registers them
from runs.webhooks import admin as webhook_pages  # noqa: F401 - registers them
