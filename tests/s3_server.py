"""A server that speaks S3's protocol: moto's. Where it is not installed, tests that need it are left out."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SERVER = shutil.which("moto_server", path=str(Path(sys.executable).parent)) or shutil.which("moto_server")

s3_server_needed = pytest.mark.skipif(SERVER is None, reason="moto[server] is not installed")


@contextmanager
def s3_server() -> Iterator[str]:
    """Its address."""
    assert SERVER is not None
    with socket.create_server(("127.0.0.1", 0)) as ear:
        port = ear.getsockname()[1]
    process = subprocess.Popen(
        [SERVER, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            with socket.socket() as trying:
                if trying.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
