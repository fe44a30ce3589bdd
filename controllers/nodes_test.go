package controllers

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestNoNodeMessage(t *testing.T) {
	node := func(name string, ready corev1.ConditionStatus, cordoned bool) corev1.Node {
		return corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{Unschedulable: cordoned},
			Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}},
		}
	}
	good, bad, cordoned := node("a", "True", false), node("b", "Unknown", false), node("c", "True", true)
	tests := []struct {
		name  string
		home  []corev1.Node
		short string
		want  string
	}{
		{"none labelled", nil, "", "no node labelled ejustice.dev/jurisdiction=PS is Ready: "},
		{"all away", []corev1.Node{cordoned, bad}, "CPU", "is Ready (b is not Ready, c is cordoned): "},
		{"short", []corev1.Node{good, cordoned}, "CPU and memory", "=PS (c is cordoned) have no room left, they are short of CPU and memory: "},
		{"short of something else", []corev1.Node{good}, "", "=PS have no room left: "},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := noNodeMessage([]string{"PS"}, tc.home, tc.short); !strings.Contains(got, tc.want) {
				t.Errorf("message %q, want %q in it", got, tc.want)
			}
		})
	}
}

// Memory holds what is needed of a tenant's pods and nearly nothing of others'.
func TestKeepPlace(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "justice-x", Name: "p", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"long": "text"}}}
	pod.Spec = restrictedPod()
	pod.Spec.NodeName = "node1"
	kept, err := keepPlace(pod)
	if err != nil {
		t.Fatal(err)
	}
	got := kept.(*corev1.Pod)
	if got.Spec.NodeName != "node1" || got.Labels["a"] != "b" || len(got.Spec.Containers)+len(got.Annotations) > 0 {
		t.Errorf("kept %+v", got)
	}
	pod.Namespace = "elsewhere"
	kept, _ = keepPlace(pod)
	if got := kept.(*corev1.Pod); got.Spec.NodeName != "" || got.Labels != nil || got.Name != "p" {
		t.Errorf("kept %+v of another's pod", got)
	}
}
