"""Certificates of the local cloud: one authority per folder, kept between restarts.

Azure's SDKs refuse to send tokens over plain http, so everything local speaks TLS. The authority's own key stays in the
folder (0600): whoever sources `.local/env` trusts `ca.pem`, so the key must not leave the machine.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509

from localcloud.files import write_private

CA_FILE = "ca.pem"
_CA_KEY = "ca.key"
_RENEW_BEFORE = timedelta(days=1)


def authority(folder: Path) -> Path:
    """The folder's `ca.pem`, made on first use: for REQUESTS_CA_BUNDLE and SSL_CERT_FILE."""
    _authority(folder)
    return folder / CA_FILE


def issue(folder: Path, *names: str) -> tuple[Path, Path]:
    """(certificate chain, private key) for these host names, signed by the folder's authority; reused while valid."""
    label = names[0].replace("*", "any").replace(":", "_")
    certificate, key = folder / f"{label}.pem", folder / f"{label}.key"
    ca = _authority(folder)
    if key.exists() and _is_valid(certificate, names, folder / CA_FILE):
        return certificate, key
    issued = ca.issue_cert(*names)
    write_private(key, issued.private_key_pem.bytes())
    write_private(certificate, b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    return certificate, key


def _authority(folder: Path) -> trustme.CA:
    certificate, key = folder / CA_FILE, folder / _CA_KEY
    if certificate.exists() and key.exists():
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    folder.mkdir(parents=True, exist_ok=True)
    ca = trustme.CA()
    write_private(key, ca.private_key_pem.bytes())
    write_private(certificate, ca.cert_pem.bytes(), mode=0o644)
    return ca


def _is_valid(certificate: Path, names: tuple[str, ...], ca_file: Path) -> bool:
    if not certificate.exists():
        return False
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    issuer = x509.load_pem_x509_certificate(ca_file.read_bytes())
    alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    covered = {str(name.value) for name in alternatives}
    fresh = found.not_valid_after_utc - datetime.now(UTC) > _RENEW_BEFORE
    return fresh and found.issuer == issuer.subject and covered >= set(names)
