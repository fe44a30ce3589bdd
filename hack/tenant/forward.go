package tenant

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"ejustice.dev/operator/api/v1alpha1"
)

// Tunnel leads through the apiserver to a port of a pod. It returns the address at this end,
// and what closes it.
func (c *Cluster) Tunnel(ctx context.Context, namespace, pod string, port int) (string, func(), error) {
	transport, upgrader, err := spdy.RoundTripperFor(c.Config)
	if err != nil {
		return "", nil, err
	}
	request, err := http.NewRequest(http.MethodPost, fmt.Sprintf("%s/api/v1/namespaces/%s/pods/%s/portforward", c.Config.Host, namespace, pod), nil)
	if err != nil {
		return "", nil, err
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, request.URL)
	stop, ready := make(chan struct{}), make(chan struct{})
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{fmt.Sprintf("0:%d", port)}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		return "", nil, err
	}
	failed := make(chan error, 1)
	go func() { failed <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-failed:
		return "", nil, fmt.Errorf("forwarding to %s: %w", pod, err)
	case <-ctx.Done():
		close(stop)
		return "", nil, ctx.Err()
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		close(stop)
		return "", nil, err
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0].Local), func() { close(stop) }, nil
}

// FrontDoor reaches a tenant the way people do, through a ready pod of its front door. It ends
// with the returned function.
func (c *Cluster) FrontDoor(ctx context.Context, namespace string) (*CaseManagement, func(), error) {
	site, err := c.PublicSite(ctx, namespace)
	if err != nil {
		return nil, nil, err
	}
	pod, err := c.ReadyPod(ctx, namespace, v1alpha1.ModuleFrontDoor)
	if err != nil {
		return nil, nil, err
	}
	address, closeTunnel, err := c.Tunnel(ctx, namespace, pod.Name, 8443)
	if err != nil {
		return nil, nil, err
	}
	httpClient := site.Client(address)
	return &CaseManagement{BaseURL: "https://" + site.Domain, HTTP: httpClient}, func() {
		httpClient.CloseIdleConnections()
		closeTunnel()
	}, nil
}

// Site is what one must know to trust a tenant's public address.
type Site struct {
	Domain    string
	Authority []byte // in PEM form
}

// PublicSite reads it from the tenant's public certificate.
func (c *Cluster) PublicSite(ctx context.Context, namespace string) (*Site, error) {
	var secret corev1.Secret
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "public-tls"}, &secret); err != nil {
		return nil, fmt.Errorf("reading the public certificate: %w", err)
	}
	block, _ := pem.Decode(secret.Data["tls.crt"])
	if block == nil {
		return nil, fmt.Errorf("the public certificate of %s is empty", namespace)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil || len(certificate.DNSNames) == 0 {
		return nil, fmt.Errorf("the public certificate of %s names no domain: %w", namespace, err)
	}
	return &Site{Domain: certificate.DNSNames[0], Authority: secret.Data["ca.crt"]}, nil
}

// GatewayAddress is where the Gateway that leads to the tenant answers; "" when none does.
func (c *Cluster) GatewayAddress(ctx context.Context, namespace string) (string, error) {
	var route gatewayv1.TLSRoute
	err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1alpha1.ModuleFrontDoor}, &route)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the route of %s: %w", namespace, err)
	}
	for _, parent := range route.Spec.ParentRefs {
		if parent.Namespace == nil {
			continue
		}
		var gateway gatewayv1.Gateway
		if err := c.Get(ctx, client.ObjectKey{Namespace: string(*parent.Namespace), Name: string(parent.Name)}, &gateway); err != nil {
			return "", fmt.Errorf("reading Gateway %s: %w", parent.Name, err)
		}
		for _, address := range gateway.Status.Addresses {
			return address.Value, nil
		}
	}
	return "", nil
}

// Client reaches the site at the address, whatever its domain resolves to.
func (s *Site) Client(address string) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.Authority)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, ServerName: s.Domain, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			// What is sent to a pod that has just gone is never answered: another attempt is.
			return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, address)
		},
		TLSHandshakeTimeout: 10 * time.Second,
	}}
}
