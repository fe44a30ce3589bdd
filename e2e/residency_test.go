//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/residency"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestResidency holds a tenant to its country: everything is found there, a node that turns
// out to stand abroad is seen at once, and without room at home work waits.
func TestResidency(t *testing.T) {
	const name, home = "e2e-resident", "PS"
	namespace := v1alpha1.NamespaceFor(name)
	node := homeNode(t, home)
	remove(t, name)
	t.Cleanup(func() {
		// Whatever happened, the node is left as it was found.
		setNode(t, node, func(n *corev1.Node) {
			n.Labels[v1alpha1.LabelJurisdiction] = home
			n.Spec.Unschedulable = false
		})
		remove(t, name)
	})
	provision(t, sample(t, name))

	t.Run("everything lies at home, and the report lists it", func(t *testing.T) {
		await(t, "the report is complete", time.Minute, func(ctx context.Context) (bool, error) {
			inventory, err := report(ctx, namespace)
			if err != nil {
				return false, err
			}
			kinds := map[string]bool{}
			for _, item := range inventory.Items {
				if !item.Waiting && !slices.Equal(item.Places, []string{home}) {
					return false, fmt.Errorf("%s %s lies in %v", item.Kind, item.Name, item.Places)
				}
				kinds[item.Kind] = true
			}
			if !inventory.Resident || !kinds["pod"] || !kinds["volume"] || !kinds["database instance"] {
				return false, fmt.Errorf("the report lacks something: %+v", inventory)
			}
			return true, nil
		})
		if got := condition(t, name, v1alpha1.ConditionResident); got.Status != metav1.ConditionTrue {
			t.Errorf("Resident = %s: %s", got.Status, got.Message)
		}
	})

	t.Run("a node that stands abroad is seen within 10 seconds", func(t *testing.T) {
		begin := time.Now()
		setNode(t, node, func(n *corev1.Node) { n.Labels[v1alpha1.LabelJurisdiction] = "XX" })
		await(t, "Resident is False", 10*time.Second, resident(name, metav1.ConditionFalse, "in XX (node "+node+")"))
		t.Logf("seen after %.2f s", time.Since(begin).Seconds())
		await(t, "Ready is False", 10*time.Second, func(ctx context.Context) (bool, error) {
			c, err := conditionOf(ctx, name, v1alpha1.ConditionReady)
			return err == nil && c.Status == metav1.ConditionFalse && strings.Contains(c.Message, "XX"), err
		})
		setNode(t, node, func(n *corev1.Node) { n.Labels[v1alpha1.LabelJurisdiction] = home })
		await(t, "Resident is True again", 10*time.Second, resident(name, metav1.ConditionTrue, ""))
	})

	t.Run("without room at home work waits and says why", func(t *testing.T) {
		setNode(t, node, func(n *corev1.Node) { n.Spec.Unschedulable = true })
		if err := killPods(t.Context(), namespace, client.MatchingLabels{v1alpha1.LabelModule: module}); err != nil {
			t.Fatal(err)
		}
		await(t, "the condition names the node", 2*time.Minute, func(ctx context.Context) (bool, error) {
			c, err := conditionOf(ctx, name, v1alpha1.ConditionReady)
			if err == nil && !(c.Status == metav1.ConditionFalse && strings.Contains(c.Message, node+" is cordoned")) {
				err = fmt.Errorf("Ready = %s: %s", c.Status, c.Message)
			}
			return err == nil, err
		})
		// The scheduler has spoken; from here on nothing may be placed as long as we look.
		deadline := time.Now().Add(10 * time.Second)
		for time.Now().Before(deadline) {
			for _, pod := range podsOf(t, namespace) {
				if pod.Labels[v1alpha1.LabelModule] == module && pod.DeletionTimestamp == nil && pod.Spec.NodeName != "" {
					t.Fatalf("%s was placed on %s, though its country has no room", pod.Name, pod.Spec.NodeName)
				}
			}
			time.Sleep(250 * time.Millisecond) // the pace of looking
		}
		setNode(t, node, func(n *corev1.Node) { n.Spec.Unschedulable = false })
		if err := cluster.AwaitReady(t.Context(), name, readyWithin, nil); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("anybody's pod lands at home", func(t *testing.T) {
		bare := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "bare"}, Spec: restricted(moduleImage(t, namespace))}
		if err := cluster.Create(t.Context(), bare); err != nil {
			t.Fatal(err)
		}
		await(t, "the pod has a node", time.Minute, func(ctx context.Context) (bool, error) {
			return bare.Spec.NodeName != "", cluster.Get(ctx, client.ObjectKeyFromObject(bare), bare)
		})
		if bare.Spec.NodeName != node {
			t.Errorf("it runs on %s, want %s", bare.Spec.NodeName, node)
		}
		if err := cluster.Delete(t.Context(), bare); err != nil {
			t.Error(err)
		}
	})
}

// homeNode is the one node of the jurisdiction.
func homeNode(t *testing.T, jurisdiction string) string {
	t.Helper()
	var nodes corev1.NodeList
	if err := cluster.List(t.Context(), &nodes, client.MatchingLabels{v1alpha1.LabelJurisdiction: jurisdiction}); err != nil {
		t.Fatal(err)
	}
	if len(nodes.Items) != 1 {
		t.Skipf("%d nodes stand in %s: this test wants one, and others abroad", len(nodes.Items), jurisdiction)
	}
	return nodes.Items[0].Name
}

func setNode(t *testing.T, name string, edit func(*corev1.Node)) {
	t.Helper()
	// Not the test's own context: this also puts the node right when that has ended.
	ctx := context.Background()
	var node corev1.Node
	if err := cluster.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
		t.Fatal(err)
	}
	patch := client.MergeFrom(node.DeepCopy())
	edit(&node)
	if err := cluster.Patch(ctx, &node, patch); err != nil {
		t.Fatal(err)
	}
}

func report(ctx context.Context, namespace string) (*residency.Inventory, error) {
	var stored corev1.ConfigMap
	if err := cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: residency.ReportName}, &stored); err != nil {
		return nil, err
	}
	var inventory residency.Inventory
	return &inventory, json.Unmarshal([]byte(stored.Data["report.json"]), &inventory)
}

func resident(name string, want metav1.ConditionStatus, text string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		c, err := conditionOf(ctx, name, v1alpha1.ConditionResident)
		return err == nil && c.Status == want && strings.Contains(c.Message, text), err
	}
}

func condition(t *testing.T, name, conditionType string) *metav1.Condition {
	t.Helper()
	c, err := conditionOf(t.Context(), name, conditionType)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func conditionOf(ctx context.Context, name, conditionType string) (*metav1.Condition, error) {
	var jt v1alpha1.JusticeTenant
	if err := cluster.Get(ctx, client.ObjectKey{Name: name}, &jt); err != nil {
		return nil, err
	}
	c := meta.FindStatusCondition(jt.Status.Conditions, conditionType)
	if c == nil {
		return nil, fmt.Errorf("tenant %s has no condition %s", name, conditionType)
	}
	return c, nil
}

func podsOf(t *testing.T, namespace string) []corev1.Pod {
	t.Helper()
	var pods corev1.PodList
	if err := cluster.List(t.Context(), &pods, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	return pods.Items
}

// moduleImage is the image of the tenant's module: one that the tenant may run.
func moduleImage(t *testing.T, namespace string) string {
	t.Helper()
	for _, pod := range podsOf(t, namespace) {
		if pod.Labels[v1alpha1.LabelModule] == module {
			return pod.Spec.Containers[0].Image
		}
	}
	t.Fatal("the tenant runs no module")
	return ""
}

// restricted is a pod that the restricted Pod Security level admits.
func restricted(image string) corev1.PodSpec {
	return corev1.PodSpec{
		AutomountServiceAccountToken:  ptr.To(false),
		TerminationGracePeriodSeconds: ptr.To[int64](0),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](65532),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name: "bare", Image: image,
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}
}
