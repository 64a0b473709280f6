"""Tls: which model servers are trusted over https, and how we prove who we are to them; faults in plain words."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ilab.errors import ConfigError

_CUT = "UNEXPECTED_EOF"
"""A connection that breaks off inside TLS is a fault of the network: another try may do better."""
_SIGN = re.compile(r"\[SSL[:\]]|CERTIFICATE_VERIFY_FAILED|\b(?:TLSV?1|SSLV3)[\w_]*_ALERT", re.I)
_HINTS = (
    (r"certificate has expired", "its certificate must be renewed; or the clock of this machine is wrong"),
    (r"not yet valid", "the clock of this machine may be wrong"),
    (r"mismatch|is not valid for", "use the name in the address that the server's certificate was made for"),
    (
        r"CERTIFICATE_VERIFY_FAILED",
        "if you trust the server, name the certificate authority that signed its certificate: --tls-ca FILE",
    ),
    (
        r"CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE",
        "the server may want a certificate of yours: --tls-client-cert FILE and --tls-client-key FILE",
    ),
    (
        r"ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_|DECRYPT_ERROR|ACCESS_DENIED)",
        "the server does not accept the certificate given with --tls-client-cert",
    ),
    (r"WRONG_VERSION_NUMBER|HTTP_REQUEST|RECORD_LAYER_FAILURE", "does the server speak https there? try http://"),
    (r"PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL", "the server speaks only versions of TLS that are not safe any more"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What is known about certificates; all are paths of PEM files.

    `ca` are the authorities that are trusted in place of the usual ones. `client_cert` and `client_key` (may be empty
    when the certificate's file has the key) are ours; `client_password` opens the key. `insecure` trusts any server.
    """

    insecure: bool = False
    ca: str = ""
    client_cert: str = ""
    client_key: str = ""
    client_password: str = field(default="", repr=False)

    def context(self) -> ssl.SSLContext | bool:
        """What httpx takes as `verify`; True when nothing was said. `ConfigError` for files that cannot be used."""
        if not (self.insecure or self.ca or self.client_cert or self.client_key):
            return True
        named = self.ca and not self.insecure
        context = trusting(self.ca) if named else httpx.create_ssl_context(verify=not self.insecure)
        if self.client_cert:
            self._add_client(context)
        elif self.client_key:
            raise ConfigError(
                "there is a client key for the teacher's server, but no certificate", hint="add --tls-client-cert FILE"
            )
        return context

    def _add_client(self, context: ssl.SSLContext) -> None:
        cert = _readable(self.client_cert, "client certificate")
        key = _readable(self.client_key, "client key") if self.client_key else None
        asked = False

        def password() -> str:  # without this, OpenSSL would ask on the terminal
            nonlocal asked
            asked = True
            return self.client_password

        try:
            context.load_cert_chain(cert, key, password=password)
        except (ssl.SSLError, OSError, ValueError) as error:
            message = f"cannot use the client certificate {cert}" + (f" with the key {key}" if key else "")
            raise ConfigError(f"{message}: {_why(error, asked, self.client_password)}", hint=_hint(asked)) from error


def trusting(certificates: str) -> ssl.SSLContext:
    """A context that trusts the authorities in the PEM file `certificates` only. `ConfigError` when there are none."""
    path = Path(certificates).expanduser()
    try:
        return ssl.create_default_context(cafile=path)
    except ssl.SSLError as error:
        hint = "the file must hold certificates in PEM form, which begin with -----BEGIN CERTIFICATE-----"
        raise ConfigError(f"there are no certificates in {path}", hint=hint) from error
    except OSError as error:
        raise ConfigError(f"cannot read certificates from {path}: {error.strerror or error}") from error


def hint_of(said: str) -> str:
    """How to mend the fault of TLS that a failed connection tells of; empty when it is none, or when it may pass."""
    if _CUT in said or not _SIGN.search(said):
        return ""
    for pattern, hint in _HINTS:
        if re.search(pattern, said, re.IGNORECASE):
            return hint
    return "the two sides cannot agree on how to encrypt"


def _readable(name: str, what: str) -> Path:
    path = Path(name).expanduser()
    try:
        path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the {what} {path}: {error.strerror or error}") from error
    return path


def _why(error: Exception, asked: bool, password: str) -> str:
    if asked:
        return "the password does not open the key" if password else "the key needs a password"
    if "KEY_VALUES_MISMATCH" in str(error):
        return "the key belongs to another certificate"
    return "there is no certificate with its key in PEM form"


def _hint(asked: bool) -> str:
    if asked:
        return "put it into a file and name that with the setting models.teacher_tls_client_password_file"
    return "give the certificate with --tls-client-cert and its key with --tls-client-key"
