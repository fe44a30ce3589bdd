// Package status holds what the reconcilers share to report: conditions that change only
// when their meaning changes, and whether a workload is ready.
package status

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ejustice.dev/operator/api/v1alpha1"
)

// Verdict is one answer about an object: whether it is so, why in one word, and for people.
type Verdict struct {
	// True, False or Unknown.
	Status metav1.ConditionStatus
	// One CamelCase word.
	Reason string
	// One sentence that says what to do next when something is missing. It never holds
	// times or generated names, so that it changes only when its meaning does.
	Message string
}

// Yes is a verdict of True.
func Yes(reason, message string) Verdict { return Verdict{metav1.ConditionTrue, reason, message} }

// No is a verdict of False.
func No(reason, message string) Verdict { return Verdict{metav1.ConditionFalse, reason, message} }

// Set puts a verdict into the conditions under the given type. The transition time moves
// only when the status does.
func Set(conditions *[]metav1.Condition, conditionType string, generation int64, v Verdict) {
	meta.SetStatusCondition(conditions, metav1.Condition{
		Type:               conditionType,
		Status:             v.Status,
		Reason:             v.Reason,
		Message:            bounded(v.Message),
		ObservedGeneration: generation,
	})
}

// Phase says which of the three kstatus answers an object gives.
type Phase int

// The phases of an object.
const (
	// Ready: the object does what its spec says.
	Ready Phase = iota
	// Reconciling: the operator is working or waiting for something that should come.
	Reconciling
	// Stalled: only a person can help.
	Stalled
)

// SetPhase writes Ready, Reconciling and Stalled consistently.
func SetPhase(conditions *[]metav1.Condition, generation int64, phase Phase, reason, message string) {
	ready, reconciling, stalled := No(reason, message), No(reason, ""), No(reason, "")
	switch phase {
	case Ready:
		ready = Yes(reason, message)
	case Reconciling:
		reconciling = Yes(reason, message)
	case Stalled:
		stalled = Yes(reason, message)
	}
	Set(conditions, v1alpha1.ConditionReady, generation, ready)
	Set(conditions, v1alpha1.ConditionReconciling, generation, reconciling)
	Set(conditions, v1alpha1.ConditionStalled, generation, stalled)
}

// Sort orders conditions for people: Ready first, the rest by name.
func Sort(conditions []metav1.Condition) {
	slices.SortStableFunc(conditions, func(a, b metav1.Condition) int {
		switch {
		case a.Type == b.Type:
			return 0
		case a.Type == v1alpha1.ConditionReady:
			return -1
		case b.Type == v1alpha1.ConditionReady:
			return 1
		case a.Type < b.Type:
			return -1
		}
		return 1
	})
}

const maxMessage = 1024 // characters; a longer message helps nobody and fills etcd

func bounded(message string) string {
	runes := []rune(message)
	if len(runes) <= maxMessage {
		return message
	}
	return string(runes[:maxMessage-1]) + "…"
}
