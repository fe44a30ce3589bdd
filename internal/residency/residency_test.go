package residency

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ejustice.dev/operator/api/v1alpha1"
)

func TestChoose(t *testing.T) {
	classes := Classes{"local": "", "ps-b": "PS", "ps-a": "PS", "ci": "CI"}
	tests := []struct {
		name, wanted  string
		jurisdictions []string
		want, problem string
	}{
		{"the first by name", "", []string{"PS"}, "ps-a", ""},
		{"the first jurisdiction first", "", []string{"PS", "CI"}, "ps-a", ""},
		{"the next jurisdiction", "", []string{"LC", "CI"}, "ci", ""},
		{"the wanted one", "ps-b", []string{"PS"}, "ps-b", ""},
		{"none at home", "", []string{"LC"}, "", "no StorageClass is labelled ejustice.dev/jurisdiction=LC"},
		{"wanted, missing", "fast", []string{"PS"}, "", "does not exist"},
		{"wanted, declares nothing", "local", []string{"PS"}, "", "does not say where its volumes lie"},
		{"wanted, abroad", "ci", []string{"PS"}, "", "lie in CI"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := classes.Choose(tc.wanted, tc.jurisdictions)
			if got != tc.want || (err == nil) != (tc.problem == "") || err != nil && !strings.Contains(err.Error(), tc.problem) {
				t.Errorf("Choose = %q, %v; want %q, %q", got, err, tc.want, tc.problem)
			}
		})
	}
}

func facts() Facts {
	t := &v1alpha1.JusticeTenant{ObjectMeta: metav1.ObjectMeta{Name: "palestine"}}
	t.Spec.Country = "PS"
	at := func(jurisdiction, host string) map[string]string {
		return map[string]string{v1alpha1.LabelJurisdiction: jurisdiction, corev1.LabelHostname: host}
	}
	return Facts{
		Tenant: t,
		Nodes: map[string]map[string]string{
			"node1": at("PS", "node1"), "node2": at("CI", "node2"), "bare": {corev1.LabelHostname: "bare"},
		},
		Classes: Classes{"local-ps": "PS", "local-ci": "CI", "everywhere": ""},
		Volumes: map[string]*corev1.PersistentVolume{},
	}
}

func podOn(node string, labels map[string]string) corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "x", Labels: labels}, Spec: corev1.PodSpec{NodeName: node}}
}

func TestPods(t *testing.T) {
	tests := []struct {
		name   string
		pod    corev1.Pod
		what   string
		places []string
		abroad string
	}{
		{"module at home", podOn("node1", map[string]string{v1alpha1.LabelModule: "casemanagement"}), "module casemanagement", []string{"PS"}, ""},
		{"module abroad", podOn("node2", map[string]string{v1alpha1.LabelModule: "casemanagement"}), "module casemanagement", []string{"CI"},
			"data may lie in PS only, but module casemanagement lies in CI (node node2):"},
		{"primary", podOn("node1", map[string]string{"cnpg.io/instanceRole": "primary", "cnpg.io/cluster": "database"}), "the database's primary", []string{"PS"}, ""},
		{"job of the database", podOn("node1", map[string]string{"cnpg.io/cluster": "database"}), "a pod of the database", []string{"PS"}, ""},
		{"node without label", podOn("bare", nil), "a pod that belongs to no module", []string{""}, "in a place that nobody declares (node bare)"},
		{"node that is gone", podOn("gone", nil), "a pod that belongs to no module", []string{""}, "in a place that nobody declares (node gone)"},
		{"no node yet", podOn("", nil), "a pod that belongs to no module", nil, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			f := facts()
			f.Pods = []corev1.Pod{tc.pod}
			got := Take(f)
			if item := got.Items[0]; item.What != tc.what || !slices.Equal(item.Places, tc.places) {
				t.Errorf("item = %+v", item)
			}
			if got.Resident != (tc.abroad == "") || !strings.Contains(got.Abroad(), tc.abroad) {
				t.Errorf("resident %t, abroad %q, want %q", got.Resident, got.Abroad(), tc.abroad)
			}
		})
	}
}

func TestVolumes(t *testing.T) {
	on := func(key string, operator corev1.NodeSelectorOperator, values ...string) *corev1.VolumeNodeAffinity {
		return &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: operator, Values: values}},
		}}}}
	}
	named := &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
		{}, {MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"node1"}}}},
	}}}
	tests := []struct {
		name     string
		affinity *corev1.VolumeNodeAffinity
		class    string
		places   []string
		home     bool
	}{
		{"on a node at home", on(corev1.LabelHostname, corev1.NodeSelectorOpIn, "node1"), "local-ps", []string{"PS"}, true},
		{"by the node's name, beside an empty term", named, "", []string{"PS"}, true},
		{"on a node abroad, whatever the class says", on(corev1.LabelHostname, corev1.NodeSelectorOpIn, "node2"), "local-ps", []string{"CI"}, false},
		{"on either", on(corev1.LabelHostname, corev1.NodeSelectorOpIn, "node1", "node2"), "local-ps", []string{"CI", "PS"}, false},
		{"on any node", on(corev1.LabelHostname, corev1.NodeSelectorOpExists), "local-ps", []string{"", "CI", "PS"}, false},
		{"anywhere but at home", on(corev1.LabelHostname, corev1.NodeSelectorOpNotIn, "node1"), "local-ps", []string{"", "CI"}, false},
		{"on a node that is gone", on(corev1.LabelHostname, corev1.NodeSelectorOpIn, "gone"), "local-ps", []string{""}, false},
		{"on the network, class at home", nil, "local-ps", []string{"PS"}, true},
		{"on the network, class abroad", nil, "local-ci", []string{"CI"}, false},
		{"on the network, class declares nothing", nil, "everywhere", []string{""}, false},
		{"on the network, no class", nil, "", []string{""}, false},
	}
	claim := corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "database-1", Labels: map[string]string{"cnpg.io/cluster": "database"}}}
	claim.Spec.VolumeName = "v"
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			f := facts()
			f.Claims = []corev1.PersistentVolumeClaim{claim}
			f.Volumes["v"] = &corev1.PersistentVolume{Spec: corev1.PersistentVolumeSpec{NodeAffinity: tc.affinity, StorageClassName: tc.class}}
			got := Take(f)
			if !slices.Equal(got.Items[0].Places, tc.places) || got.Resident != tc.home {
				t.Errorf("places %q, resident %t; want %q, %t", got.Items[0].Places, got.Resident, tc.places, tc.home)
			}
		})
	}
	t.Run("a volume that is gone", func(t *testing.T) {
		f := facts()
		f.Claims = []corev1.PersistentVolumeClaim{claim}
		if Take(f).Resident {
			t.Error("resident, though nobody knows where the volume is")
		}
	})
	t.Run("not made yet", func(t *testing.T) {
		f := facts()
		f.Claims = []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "new"}}}
		if got := Take(f); !got.Resident || !got.Items[0].Waiting {
			t.Errorf("%+v", got)
		}
	})
}

// The condition's sentence stays the same while pods come and go; the report names each.
func TestNamesBelongInTheReportOnly(t *testing.T) {
	f := facts()
	one, two := podOn("node2", map[string]string{v1alpha1.LabelModule: "portal"}), podOn("node2", map[string]string{v1alpha1.LabelModule: "portal"})
	one.Name, two.Name = "portal-7d9-b", "portal-7d9-a"
	f.Pods = []corev1.Pod{one}
	before := Take(f).Abroad()
	f.Pods = []corev1.Pod{one, two}
	inventory := Take(f)
	if got := inventory.Abroad(); got != before || strings.Contains(got, "7d9") {
		t.Errorf("sentence %q, before %q", got, before)
	}
	report, err := inventory.Report(map[string]string{"a": "b"})
	if err != nil {
		t.Fatal(err)
	}
	data := report.Object["data"].(map[string]any)
	table := data["report.txt"].(string)
	if strings.Index(table, "portal-7d9-a") > strings.Index(table, "portal-7d9-b") || !strings.Contains(table, "NOT everything") {
		t.Errorf("table:\n%s", table)
	}
	if raw := data["report.json"].(string); !strings.Contains(raw, `"resident": false`) || !strings.Contains(raw, `"backups": []`) {
		t.Errorf("JSON: %s", raw)
	}
}
