package controllers

import (
	"context"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/isolation"
	"ejustice.dev/operator/internal/status"
)

// addProbe makes the replicas of the operator try out the cluster's NetworkPolicies on one
// another. The channel tells of a new answer.
func addProbe(mgr ctrl.Manager, settings Settings) (*isolation.Probe, chan event.GenericEvent, error) {
	listener := isolation.Listener{Port: settings.ProbePort}
	news := make(chan event.GenericEvent, 1)
	probe := &isolation.Probe{
		HealthPort: settings.HealthPort, ForbiddenPort: settings.ProbePort,
		Peers: func(ctx context.Context) ([]string, error) {
			return replicas(ctx, mgr.GetAPIReader(), settings.Namespace)
		},
		Changed: func() {
			select {
			case news <- event.GenericEvent{Object: &v1alpha1.JusticeTenant{}}:
			default: // one that has not been heard yet says the same
			}
		},
	}
	if err := mgr.Add(listener); err != nil {
		return nil, nil, fmt.Errorf("adding the probe's listener: %w", err)
	}
	if err := mgr.Add(probe); err != nil {
		return nil, nil, fmt.Errorf("adding the probe: %w", err)
	}
	if err := mgr.AddReadyzCheck(isolation.CheckName, listener.Check); err != nil {
		return nil, nil, fmt.Errorf("adding the probe's check: %w", err)
	}
	return probe, news, nil
}

// replicas lists the addresses of the operator's other pods. In a pod the host's name is the
// pod's.
func replicas(ctx context.Context, reader client.Reader, namespace string) ([]string, error) {
	self, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("reading the host's name: %w", err)
	}
	pods := &corev1.PodList{}
	if err := reader.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/name": v1alpha1.FieldOwner}); err != nil {
		return nil, fmt.Errorf("listing the operator's pods: %w", err)
	}
	var addresses []string
	for i := range pods.Items {
		if p := &pods.Items[i]; p.Name != self && p.DeletionTimestamp == nil && p.Status.PodIP != "" {
			addresses = append(addresses, p.Status.PodIP)
		}
	}
	return addresses, nil
}

// isolatedVerdict says whether the tenant's network policies are there and in force. While
// nobody has tried, the answer of an earlier run stands.
func isolatedVerdict(s *tenantSnapshot) status.Verdict {
	for _, object := range s.frame {
		if object.GetKind() == "NetworkPolicy" {
			return status.No("Closing", "the tenant's network policies are being written")
		}
	}
	switch {
	case s.namespace != namespaceOurs:
		return status.No("Waiting", "the namespace comes first")
	case s.isolation != nil:
		return *s.isolation
	}
	for _, c := range s.tenant.Status.Conditions {
		if c.Type == v1alpha1.ConditionIsolated && c.Reason != "Waiting" && c.Reason != "Closing" {
			return status.Verdict{Status: c.Status, Reason: c.Reason, Message: c.Message}
		}
	}
	return status.No("Probing", "whether the cluster's network enforces NetworkPolicies is being tried out")
}
