package residency

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

var operators = map[corev1.NodeSelectorOperator]selection.Operator{
	corev1.NodeSelectorOpIn:           selection.In,
	corev1.NodeSelectorOpNotIn:        selection.NotIn,
	corev1.NodeSelectorOpExists:       selection.Exists,
	corev1.NodeSelectorOpDoesNotExist: selection.DoesNotExist,
	corev1.NodeSelectorOpGt:           selection.GreaterThan,
	corev1.NodeSelectorOpLt:           selection.LessThan,
}

// selects reports whether one of the selector's terms selects the node. A term that cannot
// be read selects every node, so that nothing is taken for being at home by mistake.
func selects(selector *corev1.NodeSelector, name string, nodeLabels map[string]string) bool {
	for _, term := range selector.NodeSelectorTerms {
		if len(term.MatchExpressions)+len(term.MatchFields) > 0 &&
			meets(term.MatchExpressions, nodeLabels) && meets(term.MatchFields, map[string]string{"metadata.name": name}) {
			return true
		}
	}
	return false
}

func meets(requirements []corev1.NodeSelectorRequirement, set map[string]string) bool {
	for _, r := range requirements {
		requirement, err := labels.NewRequirement(r.Key, operators[r.Operator], r.Values)
		if err == nil && !requirement.Matches(labels.Set(set)) {
			return false
		}
	}
	return true
}
