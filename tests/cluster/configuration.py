"""Turns a cluster's addresses and folders into the configuration files of containerd, CNI, kubelet, proxy and DNS."""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.components import NODE_POD_RANGE, POD_RANGE

CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
DNS_DOMAIN = "cluster.local"


@dataclass(frozen=True)
class Configuration:
    """What the files are made from; `write` returns their paths by name."""

    state: Path
    node_name: str
    address: str
    cgroup_root: str
    cni_folder: Path
    pause_image: str

    def write(self) -> dict[str, Path]:
        """Write all files into the state folder's `etc`; unchanged contents leave unchanged files."""
        folder = self.state / "etc"
        (folder / "cni").mkdir(parents=True, exist_ok=True)
        contents = {
            "containerd.toml": self._containerd(),
            "cni/10-dss.conflist": json.dumps(self._cni(), indent=1),
            "kubelet.json": json.dumps(self._kubelet(), indent=1),
            "proxy.json": json.dumps(self._proxy(), indent=1),
            "Corefile": self._corefile(),
            "resolv.conf": self._resolv_conf(),
        }
        for name, text in contents.items():
            (folder / name).write_text(text)
        return {name: folder / name for name in contents}

    def _containerd(self) -> str:
        # restrict_oom_score_adj: negative scores may not be writable (they are not in many virtual machines)
        return f"""\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{self.pause_image}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{self.cni_folder}"
    conf_dir = "{self.state}/etc/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""

    def _cni(self) -> dict[str, object]:
        # ptp routes every packet, so Services work without the br_netfilter module that a bridge would need
        ipam = {"type": "host-local", "ranges": [[{"subnet": NODE_POD_RANGE}]], "routes": [{"dst": "0.0.0.0/0"}]}
        return {
            "cniVersion": "0.4.0",
            "name": "dss",
            "plugins": [
                {"type": "ptp", "ipMasq": False, "ipam": ipam},
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }

    def _kubelet(self) -> dict[str, object]:
        pki = self.state / "pki"
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{pki}/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": f"{pki}/kubelet.crt",
            "tlsPrivateKeyFile": f"{pki}/kubelet.key",
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": self.cgroup_root,
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "clusterDNS": [self.address],
            "clusterDomain": DNS_DOMAIN,
            "resolvConf": f"{self.state}/etc/resolv.conf",
            "serializeImagePulls": False,
            # Nothing can be pulled again, so images are never collected; a full disk evicts late.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "nodefs.inodesFree": "1%",
                "imagefs.available": "1%",
            },
        }

    def _proxy(self) -> dict[str, object]:
        # conntrack limits belong to the whole machine: 0 leaves them alone
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": f"{self.state}/pki/proxy.kubeconfig"},
            "mode": "iptables",
            "clusterCIDR": POD_RANGE,
            "hostnameOverride": self.node_name,
            "conntrack": {
                "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s",
            },
        }

    def _corefile(self) -> str:
        return f"""\
.:53 {{
  errors
  kubernetes {DNS_DOMAIN} in-addr.arpa {{
    kubeconfig {self.state}/pki/admin.kubeconfig
    ttl 5
  }}
  cache 5
}}
"""

    def _resolv_conf(self) -> str:
        suffixes = f"default.svc.{DNS_DOMAIN} svc.{DNS_DOMAIN} {DNS_DOMAIN}"
        return f"nameserver {self.address}\nsearch {suffixes}\noptions ndots:5\n"
