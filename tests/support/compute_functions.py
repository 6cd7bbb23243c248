"""Functions that tests have called in compute processes. They import nothing heavy."""

import os
import time

FUNCTIONS = {
    name: f"tests.support.compute_functions:{name}"
    for name in ("echo", "pid", "spin", "sleep", "fill", "keep", "swell", "raise_error", "environment", "die")
}

KEPT: list[bytearray] = []


def echo(payload: bytes) -> bytes:
    return payload


def pid(payload: bytes) -> bytes:
    return str(os.getpid()).encode()


def spin(payload: bytes) -> bytes:
    while True:
        pass


def sleep(payload: bytes) -> bytes:
    time.sleep(float(payload))
    return str(os.getpid()).encode()


def fill(payload: bytes) -> bytes:
    held = bytearray(int(payload))
    return str(len(held)).encode()


def keep(payload: bytes) -> bytes:
    KEPT.append(bytearray(int(payload)))
    return pid(payload)


def swell(payload: bytes) -> bytes:
    return bytes(int(payload))


def raise_error(payload: bytes) -> bytes:
    raise RuntimeError(payload.decode())


def environment(payload: bytes) -> bytes:
    return os.environ.get(payload.decode(), "").encode()


def die(payload: bytes) -> bytes:
    os.kill(os.getpid(), int(payload))
    return b""
