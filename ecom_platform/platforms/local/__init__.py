"""The local platform: real parts from wheels, on loopback, all state below one folder."""

from ecom_platform.platforms.local.platform import LocalPlatform

__all__ = ["LocalPlatform"]
