package main

import (
	"context"
	"os"
)

// applyGateway installs the Gateway API and the one Gateway of all tenants.
func (c *cluster) applyGateway(ctx context.Context) error {
	images, err := platformImages()
	if err != nil {
		return err
	}
	crds, err := os.ReadFile(c.manifest("gateway-api-crds"))
	if err != nil {
		return err
	}
	if err := c.apply(ctx, crds); err != nil {
		return err
	}
	// Its kinds are served a moment after they are made known.
	if err := c.kubectlQuiet(ctx, "wait", "--for=condition=Established", "--timeout=60s", "crd/gatewayclasses.gateway.networking.k8s.io",
		"crd/gateways.gateway.networking.k8s.io", "crd/tlsroutes.gateway.networking.k8s.io"); err != nil {
		return err
	}
	if err := c.kubectlApply(ctx, "gateway.yaml", map[string]string{
		"Image": images["gateway"], "ClusterIP": gatewayService, "APIServer": hostIP,
	}); err != nil {
		return err
	}
	if err := c.awaitDeployment(ctx, "gateway", "gateway"); err != nil {
		return err
	}
	return c.kubectlQuiet(ctx, "-n", "gateway", "wait", "--for=condition=Programmed", "--timeout=60s", "gateway/public")
}
