package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
)

// whyNoNode explains why no node takes a pod that must stay in the given jurisdictions. short
// is what the scheduler found too little of, or "".
func whyNoNode(ctx context.Context, reader client.Reader, jurisdictions []string, short string) (string, error) {
	var home []corev1.Node
	for _, jurisdiction := range jurisdictions {
		nodes := &corev1.NodeList{}
		if err := reader.List(ctx, nodes, client.MatchingLabels{v1alpha1.LabelJurisdiction: jurisdiction}); err != nil {
			return "", fmt.Errorf("listing nodes in %s: %w", jurisdiction, err)
		}
		home = append(home, nodes.Items...)
	}
	return noNodeMessage(jurisdictions, home, short), nil
}

func noNodeMessage(jurisdictions []string, home []corev1.Node, short string) string {
	label := v1alpha1.LabelJurisdiction + "=" + strings.Join(jurisdictions, " or ")
	var away []string
	for i := range home {
		switch node := &home[i]; {
		case node.Spec.Unschedulable:
			away = append(away, node.Name+" is cordoned")
		case !nodeReady(node):
			away = append(away, node.Name+" is not Ready")
		}
	}
	slices.Sort(away)
	known := ""
	if len(away) > 0 {
		known = " (" + strings.Join(away, ", ") + ")"
	}
	switch {
	case len(away) == len(home):
		return fmt.Sprintf("no node labelled %s is Ready%s: label a node that stands there, or bring one back", label, known)
	case short == "":
		return fmt.Sprintf("the nodes labelled %s%s have no room left: add a node there or free CPU, memory or volumes", label, known)
	}
	return fmt.Sprintf("the nodes labelled %s%s have no room left, they are short of %s: add a node there or free some", label, known, short)
}

func nodeReady(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
