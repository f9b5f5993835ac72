"""An object store that speaks S3, in a process of its own: moto."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING

from tests.processes import started

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "yumai"


@contextmanager
def object_store() -> Iterator[dict[str, str]]:
    """Run the store with an empty bucket, and yield the variables by which programs find it."""
    with started([sys.executable, "-c", _SERVE], stdin=PIPE, stdout=PIPE, cwd=Path(__file__).parents[1]) as store:
        assert store.stdout is not None
        yield {
            "AWS_ENDPOINT_URL": store.stdout.readline().strip(),
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_REGION": "us-east-1",
        }


_SERVE = f"""
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="0.0.0.0", port=0, verbose=False)
server.start()
_, port = server.get_host_and_port()
import boto3
client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{{port}}", region_name="us-east-1",
                      aws_access_key_id="tests", aws_secret_access_key="tests")
client.create_bucket(Bucket="{BUCKET}")
print(f"http://127.0.0.1:{{port}}", flush=True)
sys.stdin.read()
"""
