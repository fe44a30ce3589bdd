package controllers

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
)

// whyNoNode explains why no node takes a pod that must stay in the given jurisdictions.
func whyNoNode(ctx context.Context, reader client.Reader, jurisdictions []string) (string, error) {
	ready := 0
	for _, jurisdiction := range jurisdictions {
		nodes := &corev1.NodeList{}
		if err := reader.List(ctx, nodes, client.MatchingLabels{v1alpha1.LabelJurisdiction: jurisdiction}); err != nil {
			return "", fmt.Errorf("listing nodes in %s: %w", jurisdiction, err)
		}
		for i := range nodes.Items {
			if nodeReady(&nodes.Items[i]) {
				ready++
			}
		}
	}
	return noNodeMessage(jurisdictions, ready), nil
}

func noNodeMessage(jurisdictions []string, ready int) string {
	label := v1alpha1.LabelJurisdiction + "=" + strings.Join(jurisdictions, " or ")
	if ready == 0 {
		return fmt.Sprintf("no node labelled %s is Ready: label a node that stands there, or bring one back", label)
	}
	return fmt.Sprintf("the nodes labelled %s have no room left: add a node there or free CPU, memory or volumes", label)
}

func nodeReady(node *corev1.Node) bool {
	if node.Spec.Unschedulable {
		return false
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
