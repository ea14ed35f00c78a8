"""The door to an S3 server's buckets: make one, lock it by time, see that it takes writes. By boto3.

Not here: the objects in a bucket (s3_objects.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from ecom_platform.errors import PermanentError, UnreachableError
from ecom_platform.platforms.protocol import StoreAccess

PROBE_BUCKET, PROBE_KEY = "ecom-probe", "probe"
"""Apart from the shop's buckets, whose locks would keep every probe."""


REMOVES = (
    "DeleteObject",
    "DeleteObjectVersion",
    "DeleteBucket",
    "PutBucketPolicy",
    "DeleteBucketPolicy",
    "PutBucketVersioning",
    "PutLifecycleConfiguration",
    "PutBucketObjectLockConfiguration",
    "PutObjectRetention",
    "BypassGovernanceRetention",
)
"""What destroys objects, at once or later, or allows to."""


class Buckets:
    """The buckets that one credential may make. access.url is not used."""

    def __init__(self, access: StoreAccess) -> None:
        import boto3
        from botocore.config import Config

        self._endpoint = access.endpoint
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=access.endpoint or None,
            aws_access_key_id=access.access_key,
            aws_secret_access_key=access.secret_key,
            region_name=access.region,
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10, proxies={}),
        )

    def ensure(self, bucket: str, lock: timedelta | None) -> None:
        """The bucket, there. lock: nobody can delete or change an object for that time after it was
        written; it can only be asked for when the bucket is made. Raises UnreachableError, PermanentError.
        """
        with self._failures(f"make the bucket {bucket}"):
            if not self._exists(bucket):
                self._client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=lock is not None)
            if lock is not None:
                days = max(1, -(-lock // timedelta(days=1)))
                rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": days}}
                self._client.put_object_lock_configuration(
                    Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
                )

    def only_adds(self, bucket: str, user: str) -> None:
        """That user can read and add in the bucket, but remove nothing for good: no object, no version of one
        (what is overwritten stays as an older version), and none of the rules that say so.
        """
        with self._failures(f"let {user} only add to the bucket {bucket}"):
            self._client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
            deny = {
                "Effect": "Deny",
                "Principal": {"AWS": f"arn:aws:iam::000000000000:user/{user}"},
                "Action": [f"s3:{each}" for each in REMOVES],
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            }
            policy = {"Version": "2012-10-17", "Statement": [deny]}
            self._client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    @contextmanager
    def _failures(self, action: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        tried = f"{action} at {self._endpoint}"
        try:
            yield
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise UnreachableError(tried, str(error)) from error
            raise PermanentError(tried, str(error)) from error
        except BotoCoreError as error:
            raise UnreachableError(tried, str(error)) from error

    def takes_writes(self) -> bool:
        """True if a small object can be written and read back now; the server's status page says less."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if not self._exists(PROBE_BUCKET):
                self._client.create_bucket(Bucket=PROBE_BUCKET)
            self._client.put_object(Bucket=PROBE_BUCKET, Key=PROBE_KEY, Body=b"ready")
            with self._client.get_object(Bucket=PROBE_BUCKET, Key=PROBE_KEY)["Body"] as body:
                return bool(body.read() == b"ready")
        except (BotoCoreError, ClientError):
            return False

    def _exists(self, bucket: str) -> bool:
        return any(each["Name"] == bucket for each in self._client.list_buckets()["Buckets"])

    def close(self) -> None:
        self._client.close()
