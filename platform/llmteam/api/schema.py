"""The API's description: what every operation has in common is added here, once."""

from drf_spectacular.openapi import AutoSchema


class Schema(AutoSchema):
    """Groups operations by the first part of their address."""

    def get_tags(self) -> list[str]:
        """Name the group."""
        return [self.path.removeprefix("/api/v1/").split("/")[0]]
