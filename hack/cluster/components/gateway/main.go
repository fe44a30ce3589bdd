// Command gateway is the local cluster's Gateway: it leads connections to tenants by the name in
// the client's greeting (SNI), without decrypting them. It implements of Gateway API what that
// takes, TLSRoute on listeners of mode Passthrough, and reads no Secret: who runs it cannot
// become a tenant. In production an implementation of the country's choice stands here.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func main() {
	listen := flag.String("listen", ":8443", "where connections come in")
	health := flag.String("health", ":8081", "where /readyz is served")
	address := flag.String("address", "", "the address under which clients reach it, told in the status of Gateways")
	flag.Parse()
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, nil)))
	if err := run(ctrl.SetupSignalHandler(), *listen, *health, *address); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, health, address string) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the API server: %w", err)
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	proxy := &proxy{dial: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, drain: 3 * time.Second, patience: 10 * time.Second}
	return proxy.follow(ctx, config, listener, health, address)
}

// follow passes connections on as the cluster's routes say, until the context ends.
func (p *proxy) follow(ctx context.Context, config *rest.Config, listener net.Listener, health, address string) error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, gatewayv1.Install} {
		if err := add(scheme); err != nil {
			return fmt.Errorf("learning the kinds: %w", err)
		}
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, HealthProbeBindAddress: health, Metrics: metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		return fmt.Errorf("making the manager: %w", err)
	}
	routes := &reconciler{client: mgr.GetClient(), address: address, use: p.use}
	if err := routes.setUp(mgr); err != nil {
		return fmt.Errorf("watching routes: %w", err)
	}
	if err := mgr.AddReadyzCheck("routes", healthz.Checker(p.ready)); err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	served := make(chan struct{})
	go func() {
		defer close(served)
		p.serve(ctx, listener)
	}()
	err = mgr.Start(ctx)
	end() // also when the manager has failed
	<-served
	return err
}
