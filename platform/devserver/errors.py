"""Errors of the servers and processes of one machine; each text is a sentence for a person."""


class DevserverError(Exception):
    """Root of everything this package raises; its text is fit to be shown as it stands."""


class ServerNotInstalled(DevserverError):
    """Neither the development dependency nor a program on PATH provides the server."""


class ServerDidNotStart(DevserverError):
    """The server's program ended or stayed silent; its text names the log."""


class NameInUse(DevserverError):
    """Another process holds the servers of this name."""


class FolderNotTrusted(DevserverError):
    """The folder for the world-readable copy belongs to someone else or may be written by others."""


class PortBusy(DevserverError):
    """Something else listens on the port that was asked for."""


class PartDidNotStart(DevserverError):
    """A part of the run ended, or was not ready in time; its text names the log."""
