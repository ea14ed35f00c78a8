"""A certificate authority and one certificate, for parts that prove to each other that they belong together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ecom_platform.clients.supervisor import replace_text

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

LIFETIME = timedelta(days=3650)
"""As long as a state folder may live; they protect loopback only, and are made anew with the folder."""


def ensure(folder: Path) -> tuple[Path, Path, Path]:
    """Paths of the authority's certificate, the shared certificate and its key (mode 600), made if missing."""
    authority, certificate, key = folder / "authority.pem", folder / "parts.pem", folder / "parts-key.pem"
    if not all(each.exists() for each in (authority, certificate, key)):
        texts = _make()
        for path, text in zip((authority, certificate, key), texts, strict=True):
            replace_text(path, text)
    return authority, certificate, key


def _make() -> tuple[str, str, str]:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    authority_key = ec.generate_private_key(ec.SECP256R1())  # thrown away: nothing else is ever signed
    authority = _certificate("authority", authority_key, authority_key, issuer=None)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate("parts", key, authority_key, issuer=authority)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return authority.public_bytes(Encoding.PEM).decode(), certificate.public_bytes(Encoding.PEM).decode(), private


def _certificate(name: str, key: object, signer: object, issuer: Certificate | None) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    assert isinstance(key, EllipticCurvePrivateKey)
    assert isinstance(signer, EllipticCurvePrivateKey)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    return builder.sign(signer, hashes.SHA256())
