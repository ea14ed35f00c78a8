"""The stream of a backup: what comes back is what went in, and no damage goes unseen."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_platform.backup.encryption import Identities, NoKeyFits, check_recipients, new_identity
from ecom_platform.backup.stream import FanOut, Sealed, WrongBytes, seal, unseal
from ecom_platform.clients.objects import Writer
from ecom_platform.errors import ConfigurationError, CorruptBackup, EcomError, UnreachableError

KEYS = Identities(new_identity())
OTHER_KEYS = Identities(new_identity())
TEXT = b"".join(
    b"%d\tline %d of the order\t%d\n" % (n, n % 97, random.Random(n).randrange(10**9)) for n in range(30_000)
)


class Memory:
    """A writer into memory. fail_after: bytes after which the store fails."""

    def __init__(self, fail_after: int | None = None) -> None:
        self.blocks: list[bytes] = []
        self.fail_after = fail_after
        self.state = "open"

    @property
    def content(self) -> bytes:
        return b"".join(self.blocks)

    def write(self, block: bytes) -> None:
        assert self.state == "open"
        if self.fail_after is not None and len(self.content) + len(block) > self.fail_after:
            raise UnreachableError("write", "the store went away")
        self.blocks.append(block)

    def close(self) -> None:
        self.state = "closed"

    def abort(self) -> None:
        self.state = "aborted"


def sealed(content: bytes, keys: Identities = KEYS) -> tuple[bytes, Sealed]:
    memory = Memory()
    result = seal(io.BytesIO(content).read, FanOut({"memory": memory}, {}), keys.recipients)
    return memory.content, result


def blocks(content: bytes, size: int = 50_000) -> Iterator[bytes]:
    return (content[place : place + size] for place in range(0, len(content), size))


def opened(stored: bytes, expected: Sealed, keys: Identities = KEYS) -> bytes:
    found: list[bytes] = []
    unseal(blocks(stored), found.append, keys, expected)
    return b"".join(found)


SEALED, EXPECTED = sealed(TEXT)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=70_000), st.integers(0, 300_000).map(lambda size: (TEXT * 4)[:size])))
def test_what_comes_back_is_what_went_in(content: bytes) -> None:
    stored, result = sealed(content)
    assert (result.plain_bytes, result.stored_bytes) == (len(content), len(stored))
    assert opened(stored, result) == content


def test_text_becomes_smaller() -> None:
    assert EXPECTED.stored_bytes < len(TEXT) / 2


def test_any_of_several_recipients_opens_it_alone() -> None:
    memory = Memory()
    both = [*KEYS.recipients, *OTHER_KEYS.recipients]
    result = seal(io.BytesIO(TEXT).read, FanOut({"memory": memory}, {}), both)
    assert opened(memory.content, result, KEYS) == opened(memory.content, result, OTHER_KEYS) == TEXT


@settings(max_examples=80, deadline=None)
@given(st.integers(0, EXPECTED.stored_bytes * 8 - 1))
def test_one_flipped_bit_is_found_wherever_it_is(bit: int) -> None:
    damaged = bytearray(SEALED)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(WrongBytes, match="altered"):
        opened(bytes(damaged), EXPECTED)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, EXPECTED.stored_bytes - 1))
def test_a_cut_is_found_wherever_it_is(size: int) -> None:
    with pytest.raises(WrongBytes, match=f"cut off: {size} of {len(SEALED)} bytes"):
        opened(SEALED[:size], EXPECTED)


def test_bytes_behind_the_end_are_found() -> None:
    with pytest.raises(WrongBytes, match="bytes are there"):
        opened(SEALED + b"x", EXPECTED)


def test_another_content_of_the_same_key_is_found() -> None:
    other, _ = sealed(TEXT[:-1])
    with pytest.raises(WrongBytes):
        opened(other, EXPECTED)


def test_nothing_unauthentic_is_written_on() -> None:
    damaged = bytearray(SEALED)
    damaged[len(SEALED) // 2] ^= 1
    found: list[bytes] = []
    with pytest.raises(WrongBytes):
        unseal(blocks(bytes(damaged)), found.append, KEYS, EXPECTED)
    assert TEXT.startswith(b"".join(found))


def test_a_wrong_key_is_not_called_damage() -> None:
    with pytest.raises(NoKeyFits):
        opened(SEALED, EXPECTED, OTHER_KEYS)


def test_an_end_that_was_encrypted_too_early_is_found() -> None:
    """Authentic bytes with the right hash, but the compressed content is not whole."""
    import hashlib

    import pyrage

    from ecom_platform.backup.stream import compressor

    half = compressor().compress(TEXT)[: len(SEALED) // 2]
    stored = pyrage.encrypt(half, [pyrage.x25519.Recipient.from_str(KEYS.recipients[0])])
    with pytest.raises(CorruptBackup, match="ends before its end mark"):
        opened(stored, Sealed(len(TEXT), len(stored), hashlib.sha256(stored).hexdigest()))


def test_a_store_that_fails_falls_out_and_the_other_goes_on() -> None:
    good, bad = Memory(), Memory(fail_after=200_000)
    failures: dict[str, EcomError] = {}
    result = seal(io.BytesIO(TEXT * 10).read, FanOut({"good": good, "bad": bad}, failures), KEYS.recipients)
    assert bad.state == "aborted"
    assert list(failures) == ["bad"]
    assert opened(good.content, result) == TEXT * 10


def test_when_no_store_is_left_the_last_one_says_why() -> None:
    with pytest.raises(UnreachableError, match="the store went away"):
        seal(io.BytesIO(TEXT).read, FanOut({"bad": Memory(fail_after=0)}, {}), KEYS.recipients)


def test_what_stops_the_source_comes_out_as_it_was() -> None:
    error = UnreachableError("read", "the database went away")
    reads: list[int] = []

    def read(size: int) -> bytes:
        reads.append(size)
        if len(reads) > 3:
            raise error
        return TEXT

    with pytest.raises(UnreachableError) as raised:
        seal(read, FanOut({"memory": Memory()}, {}), KEYS.recipients)
    assert raised.value is error


@pytest.mark.parametrize("side", ["store", "reader"])
def test_what_stops_the_way_back_comes_out_as_it_was(side: str) -> None:
    error = UnreachableError(side, "it went away")

    def fail(_: object = None) -> Iterator[bytes]:
        raise error

    def broken() -> Iterator[bytes]:
        yield SEALED[:100_000]
        raise error

    source, sink = (broken(), lambda _: None) if side == "store" else (blocks(SEALED), fail)
    with pytest.raises(UnreachableError) as raised:
        unseal(source, sink, KEYS, EXPECTED)
    assert raised.value is error


def test_the_tools_that_everybody_has_open_it(tmp_path: Path) -> None:
    """age (here its library) and the zstd program, nothing of this project."""
    import pyrage

    zstd = shutil.which("zstd")
    if zstd is None:
        pytest.skip("the zstd program is not here")
    text = new_identity()
    stored, _ = sealed(TEXT, Identities(text))
    key = pyrage.x25519.Identity.from_str(text.splitlines()[-1])
    compressed = pyrage.decrypt(stored, [key])
    done = subprocess.run([zstd, "-d", "-c"], input=compressed, capture_output=True, check=True, timeout=60)
    assert done.stdout == TEXT


@pytest.mark.parametrize("text", ["", "# only a comment\n", "AGE-SECRET-KEY-1NONSENSE", "age1nonsense"])
def test_a_key_file_without_a_key_is_said_without_showing_it(text: str) -> None:
    with pytest.raises(ConfigurationError, match="key file") as raised:
        Identities(text)
    assert "NONSENSE" not in str(raised.value)


@pytest.mark.parametrize("recipients", [[], ["age1nonsense"], ["AGE-SECRET-KEY-1"]])
def test_recipients_are_checked(recipients: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="recipients"):
        check_recipients(recipients)


def test_identities_never_show_a_private_key() -> None:
    assert "SECRET" not in repr(KEYS)
    assert KEYS.recipients[0] in repr(KEYS)


MEASURE = """
import random, sys
from ecom_platform.backup.encryption import Identities, new_identity
from ecom_platform.backup.stream import FanOut, Sealed, seal, unseal
from ecom_platform.clients.objects import open_store
from ecom_platform.platforms.protocol import StoreAccess
keys = Identities(new_identity())
store = open_store(StoreAccess("local", "file://" + sys.argv[1]))
block = random.Random(1).randbytes(1 << 20)
left = int(sys.argv[2])
def read(size):
    global left
    left -= 1
    return block if left >= 0 else b""
with store.writer("content") as writer:
    done = seal(read, FanOut({"local": writer}, {}), keys.recipients)
unseal(store.read("content"), len, keys, done)
# Not getrusage(): its peak includes that of the process that started this one.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak(tmp_path: Path, megabytes: int) -> int:
    """Kilobytes of memory that sealing and unsealing so much took at most."""
    argv = [sys.executable, "-c", MEASURE, str(tmp_path / str(megabytes)), str(megabytes)]
    return int(subprocess.run(argv, capture_output=True, check=True, timeout=120, env=os.environ).stdout)


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    small, large = peak(tmp_path, 16), peak(tmp_path, 300)
    assert large - small < 8_000
    assert large < 100_000


_: Callable[[], Writer] = Memory  # Memory is a Writer
