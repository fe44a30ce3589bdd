// Command operator runs the e-justice operator.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"ejustice.dev/operator/controllers"
	"ejustice.dev/operator/internal/database"
)

const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

func main() {
	if err := run(ctrl.SetupSignalHandler(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "operator:", err)
		os.Exit(1)
	}
}

type flags struct {
	postgresImage  string
	namespace      string
	metricsAddress string
	healthAddress  string
	leaderElection bool
	maxConcurrent  int
	logLevel       string
}

func parse(args []string) (flags, error) {
	f := flags{}
	set := flag.NewFlagSet("operator", flag.ContinueOnError)
	set.StringVar(&f.postgresImage, "postgres-image", "", "PostgreSQL image of embedded databases, by digest (required)")
	set.StringVar(&f.namespace, "namespace", "", "the operator's own namespace; default: that of its ServiceAccount")
	set.StringVar(&f.metricsAddress, "metrics-address", ":8080", "where Prometheus metrics are served; 0 turns them off")
	set.StringVar(&f.healthAddress, "health-address", ":8081", "where /healthz and /readyz are served")
	set.BoolVar(&f.leaderElection, "leader-elect", true, "work only while holding the lease, so that replicas never work at once")
	set.IntVar(&f.maxConcurrent, "max-concurrent", 4, "how many tenants, and how many modules, are worked on at once")
	set.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if f.postgresImage == "" {
		return f, errors.New("--postgres-image is required")
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
	if err := controllers.Setup(mgr, controllers.Settings{
		PostgresImage:  f.postgresImage,
		Namespace:      f.namespace,
		MaxConcurrent:  f.maxConcurrent,
		EnsureDatabase: database.Ensure,
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
