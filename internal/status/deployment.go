package status

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// Deployment answers whether all wanted replicas of a Deployment run its newest template.
// The message is empty when they do.
func Deployment(d *appsv1.Deployment) (ready bool, message string) {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	s := d.Status
	switch {
	case s.ObservedGeneration < d.Generation:
		return false, fmt.Sprintf("Deployment %s: the change is not taken up yet", d.Name)
	case s.UpdatedReplicas < want:
		return false, fmt.Sprintf("Deployment %s: %d of %d replicas run the new version", d.Name, s.UpdatedReplicas, want)
	case s.Replicas > s.UpdatedReplicas:
		return false, fmt.Sprintf("Deployment %s: replicas of the old version are still stopping", d.Name)
	case s.AvailableReplicas < want:
		return false, fmt.Sprintf("Deployment %s: %d of %d replicas are available", d.Name, s.AvailableReplicas, want)
	}
	return true, ""
}

// PodTrouble finds the most telling reason why one of the pods does not run: no node, an
// image that cannot be pulled, a container that keeps crashing. It names no pod, so that
// the answer stays the same while pods come and go. Empty when there is none.
func PodTrouble(pods []corev1.Pod) (reason, message string) {
	var found []trouble
	for i := range pods {
		if t, ok := troubleOf(&pods[i]); ok {
			found = append(found, t)
		}
	}
	if len(found) == 0 {
		return "", ""
	}
	slices.SortFunc(found, func(a, b trouble) int {
		if a.rank != b.rank {
			return a.rank - b.rank
		}
		if a.message < b.message {
			return -1
		}
		return 1
	})
	return found[0].reason, found[0].message
}

type trouble struct {
	rank            int // lower tells more
	reason, message string
}

func troubleOf(pod *corev1.Pod) (trouble, bool) {
	if pod.DeletionTimestamp != nil {
		return trouble{}, false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return trouble{0, ReasonUnschedulable, "no node has room for it"}, true
		}
	}
	for _, cs := range append(slices.Clone(pod.Status.InitContainerStatuses), pod.Status.ContainerStatuses...) {
		w := cs.State.Waiting
		if w == nil {
			continue
		}
		switch w.Reason {
		case "ErrImagePull", "ImagePullBackOff", "InvalidImageName":
			return trouble{1, "ImageNotPulled", "the image of container " + cs.Name + " cannot be pulled: check its reference in the ModuleCatalog and the registry"}, true
		case "CreateContainerConfigError", "CreateContainerError":
			return trouble{2, "ContainerNotCreated", "container " + cs.Name + " cannot be created: look at the pod's events"}, true
		case "CrashLoopBackOff":
			return trouble{3, "Crashing", "container " + cs.Name + " keeps stopping: look at its log"}, true
		}
	}
	return trouble{}, false
}

// Shortage says in plain words what the scheduler found too little of for the pods, where they
// may run: CPU and memory, for example. It reads the scheduler's sentence, such as "0/3 nodes
// are available: 1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector."
// Empty when every pod has its node or the reason is another.
func Shortage(pods []corev1.Pod) string {
	var short []string
	for i := range pods {
		for _, c := range pods[i].Status.Conditions {
			if c.Type != corev1.PodScheduled || c.Status != corev1.ConditionFalse {
				continue
			}
			for _, s := range shortages {
				if strings.Contains(c.Message, s.said) && !slices.Contains(short, s.words) {
					short = append(short, s.words)
				}
			}
		}
	}
	slices.Sort(short)
	return strings.Join(short, " and ")
}

var shortages = []struct{ said, words string }{
	{"Insufficient cpu", "CPU"},
	{"Insufficient memory", "memory"},
	{"Insufficient ephemeral-storage", "local disk space"},
	{"Too many pods", "room for more pods"},
	{"exceed max volume count", "connections for volumes"},
	{"not have enough free storage", "storage"},
	{"volume node affinity conflict", "room on the node that holds the volume"},
	{"didn't find available persistent volumes", "volumes of the storage class"},
}

// ReasonUnschedulable is the reason of pods for which no node has room.
const ReasonUnschedulable = "Unschedulable"
