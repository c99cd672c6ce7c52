"""One authority, the cluster's certificates and the key that signs service account tokens."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from testbed.layout import API_SERVICE, LOOPBACK, NODE, NODE_ADDRESS

_DAYS = 365
_PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def make_certificates(folder: Path) -> None:
    """Write ca, apiserver, kubelet and apiserver-kubelet (.crt, .key), sa.key and sa.pub."""
    if (folder / "sa.pub").exists():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("ml-platform-test-ca")
    authority = x509.CertificateBuilder().subject_name(ca_name)
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    _write(folder, "ca", ca_key, _sign(authority, ca_key, ca_name, ca_key))
    services = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    hosts = [LOOPBACK, NODE_ADDRESS, API_SERVICE, "localhost", *services]
    # The webhooks that the API server calls by URL show this certificate too.
    _issue(folder, "apiserver", _name("kube-apiserver"), hosts, ca_key)
    _issue(folder, "kubelet", _name(NODE), [NODE_ADDRESS, NODE], ca_key)
    client = _name("kube-apiserver-kubelet-client", "system:masters")
    _issue(folder, "apiserver-kubelet", client, [], ca_key)
    signer = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write_key(folder / "sa.key", signer)
    public = signer.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "sa.pub").write_bytes(public)


def _name(common: str, organisation: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organisation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


def _issue(
    folder: Path,
    file: str,
    subject: x509.Name,
    hosts: Sequence[str],
    ca_key: ec.EllipticCurvePrivateKey,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = x509.CertificateBuilder().subject_name(subject)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
    if hosts:
        names = x509.SubjectAlternativeName([_host(host) for host in hosts])
        builder = builder.add_extension(names, False)
    _write(folder, file, key, _sign(builder, key, _name("ml-platform-test-ca"), ca_key))


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _sign(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    ca_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        builder.issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks of a machine that was suspended jump.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .sign(ca_key, hashes.SHA256())
    )


def _write(
    folder: Path, file: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
) -> None:
    _write_key(folder / f"{file}.key", key)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / f"{file}.crt").write_bytes(pem)


def _write_key(path: Path, key: _PrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.touch(mode=0o600)
    path.write_bytes(pem)
