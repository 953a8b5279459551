"""Turns folders and addresses into the argument lists of etcd and the Kubernetes programs; pure."""

from dataclasses import dataclass
from pathlib import Path

SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
POD_RANGE = "10.85.0.0/16"
NODE_POD_RANGE = "10.85.0.0/24"


@dataclass(frozen=True)
class Programs:
    """Argument lists that share one binary and one folder of certificates."""

    kubernetes: Path
    pki: Path

    def _program(self, name: str, *flags: str) -> list[str]:
        return [str(self.kubernetes), name, *flags]

    def etcd(self, data: Path, client_url: str, peer_url: str) -> list[str]:
        """One member, its state in `data`, written without waiting for the disk: only a machine's crash can lose it.

        The advertised addresses must look like host:port and are never dialled, as there is no second member.
        """
        return self._program(
            "etcd", f"--data-dir={data}", "--name=default",
            f"--listen-client-urls={client_url}", f"--listen-peer-urls={peer_url}",
            "--advertise-client-urls=http://localhost:2379", "--initial-advertise-peer-urls=http://localhost:2380",
            "--initial-cluster=default=http://localhost:2380", "--unsafe-no-fsync", "--log-level=warn",
        )

    def apiserver(self, etcd_url: str, address: str, port: int) -> list[str]:
        """The API server with RBAC and Node authorization, listening on `address`."""
        pki = self.pki
        return self._program(
            "kube-apiserver", f"--etcd-servers={etcd_url}",
            f"--bind-address={address}", f"--advertise-address={address}", f"--secure-port={port}",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
            f"--client-ca-file={pki}/ca.crt", "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true", "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki}/sa.pub", f"--service-account-signing-key-file={pki}/sa.key",
            f"--kubelet-client-certificate={pki}/admin.crt", f"--kubelet-client-key={pki}/admin.key",
            "--kubelet-preferred-address-types=InternalIP",
            f"--proxy-client-cert-file={pki}/aggregator.crt", f"--proxy-client-key-file={pki}/aggregator.key",
            f"--requestheader-client-ca-file={pki}/ca.crt", "--requestheader-allowed-names=aggregator",
            "--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        )

    def controller_manager(self) -> list[str]:
        """All controllers, garbage collection and service account tokens among them."""
        return self._program(
            "kube-controller-manager", *self._identity("controller-manager"), "--leader-elect=false", "--secure-port=0",
            f"--service-account-private-key-file={self.pki}/sa.key", f"--root-ca-file={self.pki}/ca.crt",
            f"--cluster-signing-cert-file={self.pki}/ca.crt", f"--cluster-signing-key-file={self.pki}/ca.key",
            "--use-service-account-credentials", "--kube-api-qps=500", "--kube-api-burst=1000",
            "--allocate-node-cidrs=true", f"--cluster-cidr={POD_RANGE}", f"--service-cluster-ip-range={SERVICE_RANGE}",
        )

    def scheduler(self) -> list[str]:
        """The scheduler with its default plugins."""
        return self._program("kube-scheduler", *self._identity("scheduler"), "--leader-elect=false", "--secure-port=0")

    def kubelet(self, config: Path, node: str, address: str) -> list[str]:
        """The kubelet of the one node; what it needs beyond this stands in its configuration file."""
        return self._program(
            "kubelet", f"--config={config}", f"--kubeconfig={self.pki}/kubelet.kubeconfig", f"--cert-dir={self.pki}",
            f"--hostname-override={node}", f"--node-ip={address}",
        )

    def proxy(self, config: Path) -> list[str]:
        """kube-proxy; everything stands in its configuration file."""
        return self._program("kube-proxy", f"--config={config}")

    def _identity(self, user: str) -> tuple[str, ...]:
        file = self.pki / f"{user}.kubeconfig"
        return (f"--kubeconfig={file}", f"--authentication-kubeconfig={file}", f"--authorization-kubeconfig={file}")
