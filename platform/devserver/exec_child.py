"""Wrapper that starts a child process which the kernel ends with its parent; run as a script by `processes`.

A script of its own, because code between fork and exec is unsafe in a process with threads, and because changing the
user clears the death signal, so the order has to be: user, signal, check, exec. It starts as the parent's user, so it
may be read even where the program's user may not enter the checkout. Imports the standard library only.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def become_user(name: str) -> None:
    """Give up this process's user and groups for those of a named user, for good."""
    user = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def die_with_parent(parent: int, death_signal: int) -> None:
    """Ask the kernel for a signal at the parent's end; ends this process where the parent is gone already.

    Systems without this call (macOS) go on: the next start of the servers ends what was left.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    if os.getppid() != parent:
        sys.exit("the parent process ended before its child started")


def main(arguments: list[str]) -> None:
    """Replace this process: PARENT SIGNAL USER|"" PROGRAM ARGUMENT..."""
    parent, death_signal, user, program, *rest = arguments
    if user:
        become_user(user)
    die_with_parent(int(parent), int(death_signal))
    os.execve(program, [program, *rest], os.environ)  # noqa: S606 - the program comes from our own processes module


if __name__ == "__main__":
    main(sys.argv[1:])
