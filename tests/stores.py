"""A server that speaks S3, in a thread of this process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

import boto3
from moto.server import ThreadedMotoServer

KEYS = {
    "AWS_ACCESS_KEY_ID": "tester",
    "AWS_SECRET_ACCESS_KEY": "s3-secret-word",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def s3_bucket(name: str = "bucket") -> Iterator[str]:
    """Serve an empty bucket; give its URI, and set the credentials in the environment."""
    before = dict(os.environ)
    os.environ.update(KEYS)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")):  # buckets outlive their server
        pass
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}")
    client.create_bucket(Bucket=name)
    client.close()
    try:
        yield f"s3://{name}/studies?endpoint_override={host}:{port}&scheme=http&region=us-east-1"
    finally:
        server.stop()
        os.environ.clear()
        os.environ.update(before)
