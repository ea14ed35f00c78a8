"""Samples from this machine: its disks, and the certificates and keys below the platform's folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ecom_platform.monitoring.samples import Sample

MOUNTED = Path("/run/secrets/ecom")
"""Secrets of a pod. Kubernetes writes them anew with each pod, so the age of a key's file says nothing there."""

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_LARGEST = 1_000_000  # bytes of a file that is looked into; a bundle of a whole company is smaller


def disk_samples(shop: str) -> Iterator[Sample]:
    """Of whole disks that have a busy time; partitions and loop devices would count twice."""
    import psutil

    counters = psutil.disk_io_counters(perdisk=True) or {}
    for device in sorted(counters):
        busy = getattr(counters[device], "busy_time", None)  # not on every system
        whole = not any(device != other and device.startswith(other) for other in counters)
        if busy is not None and whole and not device.startswith(("loop", "ram", "zram")):
            labels = {"shop": shop, "device": device}
            yield Sample("ecom_machine_disk_busy_seconds_total", busy / 1000, labels)


def certificate_samples(shop: str, folders: Sequence[Path]) -> Iterator[Sample]:
    """The end of each certificate in files below the folders; of a chain the first to end. Raises OSError."""
    from cryptography.x509 import load_pem_x509_certificates

    for path in _files(folders):
        content = path.read_bytes()
        if _CERTIFICATE in content:
            ends = min(each.not_valid_after_utc for each in load_pem_x509_certificates(content))
            labels = {"shop": shop, "certificate": path.name}
            yield Sample("ecom_certificate_expiry_timestamp_seconds", ends.timestamp(), labels)


def key_samples(shop: str, folder: Path) -> Iterator[Sample]:
    """When the keys of the state folder were written."""
    for name in ("age-identity", "signing-key"):
        path = folder / name
        if path.exists():
            yield Sample("ecom_key_written_timestamp_seconds", path.stat().st_mtime, {"shop": shop, "key": name})


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            # A mounted Secret has each file twice, once below a folder that begins with two dots.
            if path.is_file() and ".." not in str(path) and path.stat().st_size < _LARGEST:
                yield path
