"""Objects in an S3 bucket. The verbs are those of objects.ObjectStore; boto3 only for what obstore lacks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ecom_platform.clients.objects import BLOCK, ClosingWriter, StoredObject
from ecom_platform.errors import EcomError, MissingError, PermanentError, RefusedError, UnreachableError
from ecom_platform.platforms.protocol import StoreAccess

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Store

# The payload is not signed: the manifest holds a hash of every object, and a second one costs time.

PART = 8 << 20
"""Bytes of a part: 10,000 of them, S3's limit, are 80 GB of compressed backup."""

PARTS_AT_ONCE = 2
"""With PART and the part that fills, 24 MB of memory a store; more made nothing faster on loopback."""

SMALL_READS_AT_ONCE = 16

_STATUS = re.compile(r"status code: (\d{3})")


class BucketStore:
    """A store in a bucket, below a prefix."""

    def __init__(self, access: StoreAccess, *, bucket: str, prefix: str, patience: timedelta) -> None:
        self.name = access.name
        self.where = access.url
        self._access, self._bucket, self._prefix = access, bucket, prefix
        self._patience = patience
        self._store = self._open()

    def _open(self) -> S3Store:
        from obstore.store import S3Store

        access = self._access
        config: S3Config = {"region": access.region, "unsigned_payload": True}
        if access.access_key:
            config |= {"access_key_id": access.access_key, "secret_access_key": access.secret_key}
        if access.endpoint:
            config["endpoint"] = access.endpoint
        return S3Store(
            self._bucket,
            prefix=self._prefix or None,
            config=config,
            client_options={
                "allow_http": access.endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=5),
                "timeout": self._patience,
            },
            retry_config={
                "max_retries": 1000,  # bounded by the time below
                "backoff": {
                    "init_backoff": timedelta(milliseconds=200),
                    "max_backoff": timedelta(seconds=5),
                    "base": 2,
                },
                "retry_timeout": self._patience,
            },
        )

    def put_new(self, key: str, data: bytes) -> None:
        import obstore

        with self.failures(f"write {key}"):
            obstore.put(self._store, key, data, mode="create")

    def writer(self, key: str) -> PartsWriter:
        return PartsWriter(self, self._store, key)

    def read(self, key: str) -> Iterator[bytes]:
        import obstore

        with self.failures(f"read {key}"):
            for block in obstore.get(self._store, key).stream(min_chunk_size=BLOCK):
                yield bytes(block)

    def get(self, key: str) -> bytes:
        import obstore

        with self.failures(f"read {key}"):
            return bytes(obstore.get(self._store, key).bytes())

    def get_many(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        with ThreadPoolExecutor(SMALL_READS_AT_ONCE) as pool:
            yield from pool.map(lambda key: (key, self.get(key)), keys)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        import obstore

        with self.failures(f"list {prefix or 'everything'}"):
            for page in obstore.list(self._store, prefix or None, chunk_size=1000):
                for each in page:
                    yield StoredObject(each["path"], each["size"], each["last_modified"])

    def delete(self, key: str) -> None:
        """In a bucket with versions every version goes, or RefusedError says that a lock keeps it: a plain
        delete would only hide the object, locked or not.
        """
        import obstore

        if self._versioned:
            self._delete_versions(key)
            return
        with self.failures(f"remove {key}"):
            obstore.delete(self._store, key)

    @cached_property
    def _versioned(self) -> bool:
        with self._boto_failures("ask for versions"):
            return bool(self._boto.get_bucket_versioning(Bucket=self._bucket).get("Status"))

    def _delete_versions(self, key: str) -> None:
        path = self._path(key)
        with self._boto_failures(f"remove {key}"):
            for page in self._boto.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=path):
                for kind in ("Versions", "DeleteMarkers"):
                    for each in page.get(kind, []):
                        if each["Key"] == path:
                            self._boto.delete_object(Bucket=self._bucket, Key=path, VersionId=each["VersionId"])

    def exists(self, key: str) -> bool:
        import obstore

        try:
            with self.failures(f"look for {key}"):
                obstore.head(self._store, key)
        except MissingError:
            return False
        return True

    def abort_unfinished(self, prefix: str, before: datetime, spare: Callable[[str], bool]) -> Sequence[str]:
        """By boto3: obstore cannot list uploads."""
        path = f"{self._path(prefix)}/".lstrip("/")
        aborted = []
        with self._boto_failures("abort uploads"):
            for page in self._boto.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=path):
                for upload in page.get("Uploads", []):
                    key = upload["Key"].removeprefix(self._prefix).lstrip("/")
                    if upload["Initiated"] < before and not spare(key):
                        self._boto.abort_multipart_upload(
                            Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )
                        aborted.append(key)
        return aborted

    def _path(self, key: str) -> str:
        """The key in the bucket."""
        return "/".join(each for each in (self._prefix, key) if each)

    @cached_property
    def _boto(self) -> Any:  # boto3 makes its classes at run time
        import boto3

        access = self._access
        return boto3.client(
            "s3",
            region_name=access.region,
            endpoint_url=access.endpoint or None,
            aws_access_key_id=access.access_key or None,
            aws_secret_access_key=access.secret_key or None,
        )

    @contextmanager
    def _boto_failures(self, action: str) -> Iterator[None]:
        """Turns boto3's exceptions into an error of the tree."""
        from botocore.exceptions import BotoCoreError, ClientError

        tried = f"{action} in the store {self.name}"
        try:
            yield
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise UnreachableError(tried, str(error)[:400]) from error
            if error.response["Error"]["Code"] == "AccessDenied":
                seen = "the store refuses it: a lock keeps the object, or these keys may not delete"
                raise RefusedError(tried, seen, "Wait for the end of the lock.") from error
            raise PermanentError(tried, str(error)[:400]) from error
        except BotoCoreError as error:
            raise UnreachableError(tried, str(error)[:400]) from error

    @contextmanager
    def failures(self, action: str) -> Iterator[None]:
        """Turns obstore's exceptions into an error of the tree."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError) as error:
            raise self._failure(action, error) from error

    def _failure(self, action: str, error: Exception) -> EcomError:
        from obstore.exceptions import AlreadyExistsError

        tried = f"{action} in the store {self.name}"
        if isinstance(error, FileNotFoundError):
            return MissingError(tried, f"it is not there ({self.where})")
        if isinstance(error, AlreadyExistsError):
            return RefusedError(tried, "the object exists, and objects are written once")
        seen = str(error).splitlines()[0][:400]
        status = _STATUS.search(str(error))
        if status and status[1] == "403" and action.startswith("remove"):
            return RefusedError(tried, f"these keys may not remove: {seen}", "Retention has keys of its own.")
        if status and status[1].startswith("4") and status[1] not in ("408", "429"):
            return PermanentError(tried, seen, f"Check the address and the keys of the store {self.name}.")
        return UnreachableError(tried, seen, f"See whether {self._access.endpoint or self.where} answers.")


class PartsWriter(ClosingWriter):
    """A multipart upload; nothing is visible before close()."""

    def __init__(self, store: BucketStore, obstore_store: S3Store, key: str) -> None:
        import obstore

        self._store, self._key = store, key
        self._writer = obstore.open_writer(obstore_store, key, buffer_size=PART, max_concurrency=PARTS_AT_ONCE)
        self._open = True

    def write(self, block: bytes) -> None:
        with self._ending_on_failure():
            self._writer.write(block)

    def close(self) -> None:
        if self._open:
            with self._ending_on_failure():
                self._writer.close()
            self._open = False

    def abort(self) -> None:
        """obstore aborts the upload when its own context ends by an exception."""
        if self._open:
            self._open = False
            with self._store.failures(f"abort {self._key}"):
                self._writer.__exit__(InterruptedError, InterruptedError("aborted"), None)

    @contextmanager
    def _ending_on_failure(self) -> Iterator[None]:
        """After a failure the store is not asked again: patience was spent, and the sweep aborts uploads."""
        try:
            with self._store.failures(f"write {self._key}"):
                yield
        except EcomError:
            self._open = False
            raise
