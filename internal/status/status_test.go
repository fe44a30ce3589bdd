package status

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func TestSetPhase(t *testing.T) {
	for _, phase := range []Phase{Ready, Reconciling, Stalled} {
		var conditions []metav1.Condition
		SetPhase(&conditions, 3, phase, "Reason", "message")
		got := [3]bool{
			meta.IsStatusConditionTrue(conditions, "Ready"),
			meta.IsStatusConditionTrue(conditions, "Reconciling"),
			meta.IsStatusConditionTrue(conditions, "Stalled"),
		}
		want := [3]bool{phase == Ready, phase == Reconciling, phase == Stalled}
		if got != want {
			t.Errorf("phase %d: Ready, Reconciling, Stalled = %v, want %v", phase, got, want)
		}
		if c := meta.FindStatusCondition(conditions, "Ready"); c.Message != "message" || c.ObservedGeneration != 3 {
			t.Errorf("phase %d: Ready = %+v", phase, c)
		}
	}
}

func TestSetKeepsTimeAndBounds(t *testing.T) {
	var conditions []metav1.Condition
	Set(&conditions, "X", 1, No("Reason", "one"))
	before := conditions[0].LastTransitionTime
	Set(&conditions, "X", 2, No("Other", strings.Repeat("é", 3000)))
	if conditions[0].LastTransitionTime != before {
		t.Error("the transition time moved without a transition")
	}
	if n := len([]rune(conditions[0].Message)); n != maxMessage {
		t.Errorf("the message has %d characters, want %d", n, maxMessage)
	}
}

func TestDeployment(t *testing.T) {
	good := appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2}
	tests := []struct {
		name string
		edit func(*appsv1.DeploymentStatus)
		want string
	}{
		{"ready", func(*appsv1.DeploymentStatus) {}, ""},
		{"not seen", func(s *appsv1.DeploymentStatus) { s.ObservedGeneration = 1 }, "not taken up"},
		{"rolling", func(s *appsv1.DeploymentStatus) { s.UpdatedReplicas = 1 }, "1 of 2 replicas run the new version"},
		{"old ones left", func(s *appsv1.DeploymentStatus) { s.Replicas = 3 }, "still stopping"},
		{"unavailable", func(s *appsv1.DeploymentStatus) { s.AvailableReplicas = 0 }, "0 of 2 replicas are available"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "a", Generation: 2}, Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](2)}, Status: good}
			tc.edit(&d.Status)
			ready, message := Deployment(d)
			if ready != (tc.want == "") || !strings.Contains(message, tc.want) {
				t.Errorf("Deployment = %v %q, want %q", ready, message, tc.want)
			}
		})
	}
}

func TestPodTrouble(t *testing.T) {
	waiting := func(reason string) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "generated-x7k2"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: "module", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "generated-x7k2"}},
		}}}}
	}
	unschedulable := corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}}}}
	going := waiting("CrashLoopBackOff")
	going.DeletionTimestamp = &metav1.Time{}
	tests := []struct {
		name string
		pods []corev1.Pod
		want string
	}{
		{"none", nil, ""},
		{"starting", []corev1.Pod{waiting("ContainerCreating")}, ""},
		{"image", []corev1.Pod{waiting("ImagePullBackOff")}, "ImageNotPulled"},
		{"crash", []corev1.Pod{waiting("CrashLoopBackOff")}, "Crashing"},
		{"no node tells more", []corev1.Pod{waiting("CrashLoopBackOff"), unschedulable}, ReasonUnschedulable},
		{"a pod that goes does not count", []corev1.Pod{going}, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			reason, message := PodTrouble(tc.pods)
			if reason != tc.want {
				t.Errorf("reason = %q, want %q", reason, tc.want)
			}
			if strings.Contains(message, "x7k2") {
				t.Errorf("the message holds a generated name: %s", message)
			}
		})
	}
}

func TestShortage(t *testing.T) {
	pod := func(said string) corev1.Pod {
		return corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: said}}}}
	}
	tests := []struct{ name, said, want string }{
		{"CPU", "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector.", "CPU"},
		{"both", "0/3 nodes are available: 1 Insufficient memory, 1 Insufficient cpu.", "CPU and memory"},
		{"the volume's node", "0/3 nodes are available: 1 node(s) had volume node affinity conflict.", "room on the node that holds the volume"},
		{"another reason", "0/3 nodes are available: 3 node(s) were unschedulable.", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := Shortage([]corev1.Pod{pod(tc.said), pod(tc.said)}); got != tc.want {
				t.Errorf("Shortage = %q, want %q", got, tc.want)
			}
		})
	}
	placed := pod("1 Insufficient cpu")
	placed.Status.Conditions[0].Status = corev1.ConditionTrue
	if got := Shortage([]corev1.Pod{placed}); got != "" {
		t.Errorf("a pod that has its node lacks %q", got)
	}
}
