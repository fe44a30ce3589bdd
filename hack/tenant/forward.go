package tenant

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// Forward opens a tunnel through the apiserver to port 8080 of a ready pod of
// the module. It ends with the returned function.
func (c *Cluster) Forward(ctx context.Context, namespace, module string) (*CaseManagement, func(), error) {
	pod, err := c.ReadyPod(ctx, namespace, module)
	if err != nil {
		return nil, nil, err
	}
	transport, upgrader, err := spdy.RoundTripperFor(c.Config)
	if err != nil {
		return nil, nil, err
	}
	request, err := http.NewRequest(http.MethodPost, fmt.Sprintf("%s/api/v1/namespaces/%s/pods/%s/portforward", c.Config.Host, namespace, pod.Name), nil)
	if err != nil {
		return nil, nil, err
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, request.URL)
	stop, ready := make(chan struct{}), make(chan struct{})
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{"0:8080"}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		return nil, nil, err
	}
	failed := make(chan error, 1)
	go func() { failed <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-failed:
		return nil, nil, fmt.Errorf("forwarding to %s: %w", pod.Name, err)
	case <-ctx.Done():
		close(stop)
		return nil, nil, ctx.Err()
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		close(stop)
		return nil, nil, err
	}
	client := &http.Client{Transport: &http.Transport{}}
	return &CaseManagement{BaseURL: fmt.Sprintf("http://127.0.0.1:%d", ports[0].Local), HTTP: client}, func() {
		client.CloseIdleConnections()
		close(stop)
	}, nil
}
