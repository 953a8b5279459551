"""Turns a folder into a cluster's certificates, keys and kubeconfigs, with openssl; made whole or not at all."""

import base64
import json
import secrets
import shutil
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.errors import Missing

DAYS = "3650"
_CONFIG = """\
[req]
distinguished_name = dn
x509_extensions = authority
prompt = no
[dn]
CN = deepseekserve-test-cluster
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
"""


def authority(folder: Path) -> None:
    """Make a new certificate authority (ca.crt, ca.key) and the key pair of service accounts (sa.key, sa.pub)."""
    if shutil.which("openssl") is None:
        raise Missing("openssl is needed to make certificates: apt-get install openssl")
    folder.mkdir(mode=0o700, parents=True)
    (folder / "openssl.cnf").write_text(_CONFIG)
    _new_key(folder / "ca.key")
    _openssl(
        folder, "req", "-x509", "-new", "-key", "ca.key", "-config", "openssl.cnf", "-days", DAYS, "-out", "ca.crt"
    )
    _new_key(folder / "sa.key")
    _openssl(folder, "pkey", "-in", "sa.key", "-pubout", "-out", "sa.pub")


def certificate(folder: Path, name: str, subject: str, alternatives: Sequence[str] = ()) -> None:
    """Make NAME.crt and NAME.key for a server or client, signed by the folder's authority."""
    _new_key(folder / f"{name}.key")
    extensions = ["keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth,clientAuth"]
    if alternatives:
        extensions.append("subjectAltName=" + ",".join(alternatives))
    (folder / f"{name}.ext").write_text("\n".join(extensions) + "\n")
    _openssl(
        folder, "req", "-new", "-key", f"{name}.key", "-config", "openssl.cnf", "-subj", subject, "-out", f"{name}.csr"
    )
    _openssl(
        folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", DAYS,
        "-set_serial", f"0x{secrets.token_hex(16)}", "-extfile", f"{name}.ext", "-out", f"{name}.crt",
    )


def admins_trust(folder: Path) -> ssl.SSLContext:
    """What a client needs to speak with the API server as its admin, without a kubectl process."""
    trust = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    trust.load_cert_chain(folder / "admin.crt", folder / "admin.key")
    return trust


def kubeconfig(folder: Path, user: str, server: str, cluster: str) -> None:
    """Write USER.kubeconfig (JSON, which is YAML) with the user's certificate inside."""
    (folder / f"{user}.kubeconfig").touch(mode=0o600)
    (folder / f"{user}.kubeconfig").write_text(json.dumps({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {
            "server": server,
            "certificate-authority-data": _data(folder / "ca.crt"),
        }}],
        "users": [{"name": user, "user": {
            "client-certificate-data": _data(folder / f"{user}.crt"),
            "client-key-data": _data(folder / f"{user}.key"),
        }}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
        "current-context": cluster,
    }, indent=1))


def _data(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def _new_key(file: Path) -> None:
    file.touch(mode=0o600)
    _openssl(file.parent, "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", file.name)


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
