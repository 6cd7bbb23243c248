"""The console's pages of tenants, where Django looks for them."""

from tenants.console import admin as tenant_pages  # noqa: F401 - registers them
