"""Puts an object into the S3 server of argument 1 and reads it back; prints which other ports of it answer."""

import json
import socket
import sys

import boto3

host = sys.argv[1]
client = boto3.client(
    "s3",
    endpoint_url=f"http://{host}:8333",
    aws_access_key_id="ecom",
    aws_secret_access_key="test-only",
    region_name="us-east-1",
)
client.create_bucket(Bucket="backups")
client.put_object(Bucket="backups", Key="one", Body=b"content")
said = client.get_object(Bucket="backups", Key="one")["Body"].read().decode()


def answers(port: int) -> bool:
    with socket.socket() as attempt:
        attempt.settimeout(2)
        return attempt.connect_ex((host, port)) == 0


print(json.dumps({"said": said, "open": [port for port in (8080, 8333, 8888, 9333, 18888) if answers(port)]}))
