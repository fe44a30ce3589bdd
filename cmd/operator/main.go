// Command operator runs the e-justice operator.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"ejustice.dev/operator/controllers"
	"ejustice.dev/operator/internal/database"
	"ejustice.dev/operator/internal/vault"
)

const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

func main() {
	if err := run(ctrl.SetupSignalHandler(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "operator:", err)
		os.Exit(1)
	}
}

type flags struct {
	vault          vault.Config
	publicIssuer   string
	certManager    [2]string
	gateway        [2]string
	postgresImage  string
	registries     []string
	podCIDRs       []string
	namespace      string
	metricsAddress string
	healthAddress  string
	probePort      string
	leaderElection bool
	maxConcurrent  int
	logLevel       string
}

func parse(args []string) (flags, error) {
	f := flags{certManager: [2]string{"cert-manager", "cert-manager"}}
	set := flag.NewFlagSet("operator", flag.ContinueOnError)
	set.StringVar(&f.postgresImage, "postgres-image", "", "PostgreSQL image of embedded databases, by digest (required)")
	set.Func("allowed-registries", "registries that tenants' images may come from, joined by commas, besides those of the PostgreSQL image and of the ModuleCatalogs; CloudNativePG's own must be among them", list(&f.registries, registry))
	set.Func("pod-cidrs", "networks of the cluster's pods, joined by commas: modules answer clients outside them; without it, only namespaces labelled ejustice.dev/front-door=true", list(&f.podCIDRs, cidr))
	set.StringVar(&f.vault.Address, "vault-address", "", "Vault, or another server that speaks its API, for example https://vault.vault.svc:8200 (required)")
	set.StringVar(&f.vault.CAFile, "vault-ca", "", "file with the authority of Vault's certificate; empty for a public one")
	set.StringVar(&f.vault.AuthPath, "vault-auth-path", "auth/kubernetes", "where the sign-in method for ServiceAccounts is mounted in Vault")
	set.StringVar(&f.vault.Method, "vault-auth-method", "kubernetes", "the kind of that method: kubernetes or jwt")
	set.StringVar(&f.vault.Role, "vault-role", "ejustice-operator", "the operator's role there")
	set.StringVar(&f.vault.TokenFile, "vault-token-file", "/var/run/secrets/vault/token", "the operator's ServiceAccount token for Vault")
	set.StringVar(&f.publicIssuer, "public-issuer", "", "cert-manager ClusterIssuer for the domains of tenants that name no issuer of their own")
	set.Func("cert-manager-account", "the ServiceAccount of cert-manager as namespace/name (default cert-manager/cert-manager)", namespaced(&f.certManager))
	set.Func("gateway", "the Gateway (Gateway API) that leads the tenants' domains to their front doors, as namespace/name; without it nobody does", namespaced(&f.gateway))
	set.StringVar(&f.namespace, "namespace", "", "the operator's own namespace; default: that of its ServiceAccount")
	set.StringVar(&f.metricsAddress, "metrics-address", ":8080", "where Prometheus metrics are served; 0 turns them off")
	set.StringVar(&f.healthAddress, "health-address", ":8081", "where /healthz and /readyz are served")
	set.StringVar(&f.probePort, "probe-port", "", "port that a NetworkPolicy forbids: replicas try it on one another to learn whether the cluster enforces policies; empty: nobody tries")
	set.BoolVar(&f.leaderElection, "leader-elect", true, "work only while holding the lease, so that replicas never work at once")
	set.IntVar(&f.maxConcurrent, "max-concurrent", 4, "how many tenants, and how many modules, are worked on at once")
	set.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if f.postgresImage == "" {
		return f, errors.New("--postgres-image is required")
	}
	if !strings.HasPrefix(f.vault.Address, "https://") {
		return f, errors.New("--vault-address is required and must begin with https://")
	}
	if f.vault.Method != "kubernetes" && f.vault.Method != "jwt" {
		return f, errors.New("--vault-auth-method must be kubernetes or jwt")
	}
	if f.maxConcurrent < 1 {
		return f, errors.New("--max-concurrent must be at least 1")
	}
	if f.namespace == "" {
		raw, err := os.ReadFile(namespaceFile)
		if err != nil {
			return f, fmt.Errorf("outside a cluster --namespace is required: %w", err)
		}
		f.namespace = strings.TrimSpace(string(raw))
	}
	return f, nil
}

// list reads values joined by commas; "" is an empty list.
func list(into *[]string, check func(string) error) func(string) error {
	return func(given string) error {
		*into = nil
		for value := range strings.SplitSeq(given, ",") {
			if value = strings.TrimSpace(value); value == "" {
				continue
			}
			if err := check(value); err != nil {
				return err
			}
			*into = append(*into, value)
		}
		return nil
	}
}

// namespaced reads namespace/name.
func namespaced(into *[2]string) func(string) error {
	return func(given string) error {
		namespace, name, ok := strings.Cut(given, "/")
		if !ok || namespace == "" || name == "" {
			return fmt.Errorf("%s is not of the form namespace/name", given)
		}
		*into = [2]string{namespace, name}
		return nil
	}
}

func registry(s string) error {
	if strings.Contains(s, "/") {
		return fmt.Errorf("%s is not a registry's host name: leave out scheme and path", s)
	}
	return nil
}

func cidr(s string) error {
	_, err := netip.ParsePrefix(s)
	return err
}

func run(ctx context.Context, args []string) error {
	f, err := parse(args)
	if err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return fmt.Errorf("--log-level: %w", err)
	}
	logger := logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger) // leader election logs through klog

	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the API server: %w", err)
	}
	config.QPS = -1 // the API server's own fairness governs
	options := controllers.ManagerOptions()
	options.LeaderElection = f.leaderElection
	options.LeaderElectionNamespace = f.namespace
	options.Metrics = metricsserver.Options{BindAddress: f.metricsAddress}
	options.HealthProbeBindAddress = f.healthAddress
	mgr, err := ctrl.NewManager(config, options)
	if err != nil {
		return fmt.Errorf("making the manager: %w", err)
	}
	_, healthPort, err := net.SplitHostPort(f.healthAddress)
	if err != nil {
		return fmt.Errorf("--health-address: %w", err)
	}
	secrets, err := vault.New(f.vault)
	if err != nil {
		return err
	}
	if err := controllers.Setup(mgr, controllers.Settings{
		Vault:         secrets,
		PublicIssuer:  f.publicIssuer,
		CertManager:   f.certManager,
		Gateway:       f.gateway,
		PostgresImage: f.postgresImage,
		ProbePort:     f.probePort,
		HealthPort:    healthPort,
		Registries:    f.registries,
		PodCIDRs:      f.podCIDRs,
		Namespace:     f.namespace,
		MaxConcurrent: f.maxConcurrent,
		External:      controllers.ExternalServers{Ensure: database.Ensure, SetVaultPassword: database.SetVaultPassword},
	}); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding the health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding the readiness check: %w", err)
	}
	return mgr.Start(ctx)
}
