package main

import (
	"context"
	"os"
	"time"
)

// auditPolicy records every write to the API by name, not content: it is how
// tests show that an operator at rest writes nothing.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  verbs: [get, list, watch]
- level: None
  resources: [{group: coordination.k8s.io}, {group: "", resources: [events]}, {group: events.k8s.io}]
- level: Metadata
`

// startControlPlane runs etcd, the apiserver, the controller manager and the
// scheduler on the host, reachable from the host and the nodes alone.
func (c *cluster) startControlPlane(ctx context.Context) error {
	if err := os.WriteFile(state("audit-policy.yaml"), []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	if err := start("etcd", "", c.bin("etcd"),
		"--name=ejustice", "--data-dir="+state("etcd"), "--log-level=warn",
		"--listen-client-urls=https://127.0.0.1:12379", "--advertise-client-urls=https://127.0.0.1:12379",
		"--listen-peer-urls=http://127.0.0.1:12380", "--initial-advertise-peer-urls=http://127.0.0.1:12380",
		"--initial-cluster=ejustice=http://127.0.0.1:12380",
		"--client-cert-auth", "--trusted-ca-file="+pki("etcd-ca.crt"),
		"--cert-file="+pki("etcd.crt"), "--key-file="+pki("etcd.key"),
		"--unsafe-no-fsync", // a throw-away cluster: speed over surviving a power cut
	); err != nil {
		return err
	}
	if err := await(ctx, "etcd", 20*time.Second, listening("127.0.0.1:12379")); err != nil {
		return err
	}
	if err := start("kube-apiserver", "", c.bin("kube-apiserver"),
		"--advertise-address="+hostIP, "--bind-address="+hostIP, "--secure-port=6443",
		"--etcd-servers=https://127.0.0.1:12379", "--etcd-cafile="+pki("etcd-ca.crt"),
		"--etcd-certfile="+pki("apiserver-etcd.crt"), "--etcd-keyfile="+pki("apiserver-etcd.key"),
		"--tls-cert-file="+pki("apiserver.crt"), "--tls-private-key-file="+pki("apiserver.key"),
		"--client-ca-file="+pki("ca.crt"),
		"--kubelet-certificate-authority="+pki("ca.crt"),
		"--kubelet-client-certificate="+pki("apiserver-kubelet.crt"), "--kubelet-client-key="+pki("apiserver-kubelet.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file="+pki("aggregator-ca.crt"), "--requestheader-allowed-names=aggregator",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+pki("aggregator.crt"), "--proxy-client-key-file="+pki("aggregator.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+pki("service-accounts.key"), "--service-account-signing-key-file="+pki("service-accounts.key"),
		"--service-cluster-ip-range="+serviceCIDR,
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--audit-policy-file="+state("audit-policy.yaml"), "--audit-log-path="+state("logs", "audit.log"),
		"--profiling=false",
	); err != nil {
		return err
	}
	ready := func(ctx context.Context) error {
		_, err := command(ctx, c.bin("kubectl"), "--kubeconfig="+kubeconfig("admin"), "get", "--raw=/readyz")
		return err
	}
	if err := await(ctx, "kube-apiserver", 60*time.Second, ready); err != nil {
		return err
	}
	if err := start("kube-controller-manager", "", c.bin("kube-controller-manager"),
		"--kubeconfig="+kubeconfig("controller-manager"), "--authentication-kubeconfig="+kubeconfig("controller-manager"),
		"--authorization-kubeconfig="+kubeconfig("controller-manager"), "--bind-address=127.0.0.1",
		"--service-account-private-key-file="+pki("service-accounts.key"), "--root-ca-file="+pki("ca.crt"),
		"--cluster-signing-cert-file="+pki("ca.crt"), "--cluster-signing-key-file="+pki("ca.key"),
		"--use-service-account-credentials", "--leader-elect=false", "--profiling=false",
	); err != nil {
		return err
	}
	return start("kube-scheduler", "", c.bin("kube-scheduler"),
		"--kubeconfig="+kubeconfig("scheduler"), "--authentication-kubeconfig="+kubeconfig("scheduler"),
		"--authorization-kubeconfig="+kubeconfig("scheduler"), "--bind-address=127.0.0.1",
		"--leader-elect=false", "--profiling=false",
	)
}
