"""A certificate authority of the sandbox's own, made on first use, and the certificate it gives to loopback names.

Its keys stay in the state folder. It may vouch for loopback alone, so trusting it endangers nothing else.
"""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from filelock import FileLock

from pipeline.sandbox.faults.plan import Certificate
from pipeline.sandbox.tokens import write_private

_CA_VALIDITY: Final = timedelta(days=3650)
_LEAF_VALIDITY: Final = timedelta(days=397)
_RENEW_BEFORE: Final = timedelta(days=30)
_EXPIRED_FOR: Final = timedelta(days=1)
_BACKDATED: Final = timedelta(hours=1)  # for clients whose clock is a little behind


def certificates(state_dir: Path, now: datetime) -> tuple[Path, ssl.SSLContext]:
    """The authority's certificate file, for clients to trust, and what a server needs to speak TLS.

    Whatever is missing or about to expire is made anew.
    """
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca_file, leaf_file = state_dir / "ca.pem", state_dir / "server.pem"
    with FileLock(state_dir / ".lock", mode=0o600, is_singleton=True):
        if not _is_good(ca_file, now) or not (state_dir / "ca.key").exists():
            _make_authority(state_dir, now)
            leaf_file.unlink(missing_ok=True)
        if not _is_good(leaf_file, now):
            _make_leaf(state_dir, leaf_file, now)
    return ca_file, _context(leaf_file)


def unsound(state_dir: Path, now: datetime) -> dict[Certificate, ssl.SSLContext]:
    """What a server needs to speak TLS with certificates that no client may accept; made anew each time.

    Names stay among those the authority may vouch for, so that each has the one flaw it is named for.
    """
    made: dict[Certificate, ssl.SSLContext] = {}
    with FileLock(state_dir / ".lock", mode=0o600, is_singleton=True):
        for flaw in Certificate:
            leaf_file = state_dir / f"server-{flaw.value}.pem"
            _make_leaf(state_dir, leaf_file, now, flaw)
            made[flaw] = _context(leaf_file)
    return made


def _context(leaf_file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(leaf_file)
    return context


def _is_good(path: Path, now: datetime) -> bool:
    if not path.exists():
        return False
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc - now > _RENEW_BEFORE


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _make_authority(state_dir: Path, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("ProSpend pipeline sandbox authority")
    loopback_only = x509.NameConstraints(
        permitted_subtrees=[
            x509.DNSName("localhost"),
            x509.IPAddress(IPv4Network("127.0.0.0/8")),
            x509.IPAddress(IPv6Network("::1/128")),
        ],
        excluded_subtrees=None,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _CA_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(loopback_only, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(state_dir / "ca.key", _key_bytes(key))
    write_private(state_dir / "ca.pem", certificate.public_bytes(serialization.Encoding.PEM))


def _make_leaf(state_dir: Path, leaf_file: Path, now: datetime, flaw: Certificate | None = None) -> None:
    authority = x509.load_pem_x509_certificate((state_dir / "ca.pem").read_bytes())
    signer = serialization.load_pem_private_key((state_dir / "ca.key").read_bytes(), password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.subject
    if flaw is Certificate.SELF_SIGNED:
        signer, issuer = key, _name("localhost")
    host, address = (
        ("localhost", "127.0.0.1") if flaw is not Certificate.WRONG_NAME else ("other.localhost", "127.9.9.9")
    )
    names: list[x509.GeneralName] = [x509.DNSName(host), x509.IPAddress(IPv4Address(address))]
    if flaw is not Certificate.WRONG_NAME:
        names.append(x509.IPAddress(IPv6Address("::1")))
    begin, end = now - _BACKDATED, min(now + _LEAF_VALIDITY, authority.not_valid_after_utc)
    if flaw is Certificate.EXPIRED:
        begin, end = now - _EXPIRED_FOR - _RENEW_BEFORE, now - _EXPIRED_FOR
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(host))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    write_private(leaf_file, _key_bytes(key) + certificate.public_bytes(serialization.Encoding.PEM))
