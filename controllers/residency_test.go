package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/database"
	"ejustice.dev/operator/internal/residency"
)

func requirement(key string, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
}

func affinity(terms ...corev1.NodeSelectorTerm) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
	}}
}

func term(requirements ...corev1.NodeSelectorRequirement) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: requirements}
}

func tenantPod(tenant, name string, edit func(*corev1.PodSpec)) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.NamespaceFor(tenant), Name: name}, Spec: restrictedPod()}
	if edit != nil {
		edit(&pod.Spec)
	}
	return pod
}

// Whoever creates a pod in a tenant's namespace, and whatever it asks for, it may run at home
// only.
func TestEveryPodIsPlacedAtHome(t *testing.T) {
	startOperator(t, nil)
	tenant := newTenant("placed")
	tenant.Spec.Residency = &v1alpha1.Residency{Jurisdictions: []v1alpha1.CountryCode{"LC", "BB"}}
	create(t, tenant)
	awaitReady(t, "placed")
	home := requirement(v1alpha1.LabelJurisdiction, "LC", "BB")
	abroad := requirement(v1alpha1.LabelJurisdiction, "US")
	fast := requirement("example.org/disk", "fast")
	byName := []corev1.NodeSelectorRequirement{requirement("metadata.name", "some-node")}

	tests := []struct {
		name string
		edit func(*corev1.PodSpec)
		want []corev1.NodeSelectorTerm
	}{
		{"says nothing", nil, []corev1.NodeSelectorTerm{term(home)}},
		{"like that of a Job", func(p *corev1.PodSpec) {
			p.RestartPolicy = corev1.RestartPolicyNever
			p.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{}}
		}, []corev1.NodeSelectorTerm{term(home)}},
		{"prefers a place abroad", func(p *corev1.PodSpec) {
			p.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 1, Preference: term(abroad)}}}}
		}, []corev1.NodeSelectorTerm{term(home)}},
		{"two terms of its own", func(p *corev1.PodSpec) { p.Affinity = affinity(term(fast), term(abroad)) },
			[]corev1.NodeSelectorTerm{term(fast, home), term(abroad, home)}},
		{"like that of a DaemonSet", func(p *corev1.PodSpec) { p.Affinity = affinity(corev1.NodeSelectorTerm{MatchFields: byName}) },
			[]corev1.NodeSelectorTerm{{MatchFields: byName, MatchExpressions: []corev1.NodeSelectorRequirement{home}}}},
		{"one of the places already", func(p *corev1.PodSpec) {
			p.Affinity = affinity(term(requirement(v1alpha1.LabelJurisdiction, "BB")), term(fast))
		}, []corev1.NodeSelectorTerm{term(requirement(v1alpha1.LabelJurisdiction, "BB")), term(fast, home)}},
		{"home and abroad", func(p *corev1.PodSpec) {
			p.Affinity = affinity(term(requirement(v1alpha1.LabelJurisdiction, "BB", "US")))
		}, []corev1.NodeSelectorTerm{term(requirement(v1alpha1.LabelJurisdiction, "BB", "US"), home)}},
	}
	for i, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			pod := tenantPod("placed", fmt.Sprintf("pod-%d", i), tc.edit)
			if err := suite.client.Create(t.Context(), pod, client.DryRunAll); err != nil {
				t.Fatal(err)
			}
			got := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
			if fmt.Sprint(got) != fmt.Sprint(tc.want) {
				t.Errorf("terms\n%v, want\n%v", got, tc.want)
			}
		})
	}
	t.Run("names its node", func(t *testing.T) {
		pod := tenantPod("placed", "named", func(p *corev1.PodSpec) { p.NodeName = "abroad" })
		if err := suite.client.Create(t.Context(), pod, client.DryRunAll); !apierrors.IsForbidden(err) {
			t.Errorf("err = %v, want it refused: it would pass the scheduler by", err)
		}
	})
	t.Run("in another namespace", func(t *testing.T) {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "free"}, Spec: restrictedPod()}
		if err := suite.client.Create(t.Context(), pod, client.DryRunAll); err != nil || pod.Spec.Affinity != nil {
			t.Errorf("affinity %v, err %v: the policy reaches too far", pod.Spec.Affinity, err)
		}
	})
}

// Where pods cannot be placed at admission they are refused instead.
func TestPodsAreRefusedWherePlacementIsMissing(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("refused"))
	awaitReady(t, "refused")
	binding := &admissionv1.MutatingAdmissionPolicyBinding{}
	if err := suite.client.Get(t.Context(), client.ObjectKey{Name: "ejustice-place-pods"}, binding); err != nil {
		t.Fatal(err)
	}
	remove(t, binding.DeepCopy())
	t.Cleanup(func() {
		binding.ResourceVersion = ""
		if err := suite.client.Create(context.Background(), binding); err != nil {
			t.Error(err)
		}
		await(t, "placement again", func() (bool, string) {
			err := suite.client.Create(context.Background(), tenantPod("refused", "bare", nil), client.DryRunAll)
			return err == nil, fmt.Sprint(err)
		})
	})
	await(t, "a bare pod to be refused", func() (bool, string) {
		err := suite.client.Create(t.Context(), tenantPod("refused", "bare", nil), client.DryRunAll)
		return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "ejustice.dev/jurisdiction In [LC]"), fmt.Sprint(err)
	})
	home := requirement(v1alpha1.LabelJurisdiction, "LC")
	tests := []struct {
		name    string
		terms   []corev1.NodeSelectorTerm
		refused bool
	}{
		{"at home", []corev1.NodeSelectorTerm{term(home)}, false},
		{"at home in both terms", []corev1.NodeSelectorTerm{term(home), term(requirement("x", "y"), home)}, false},
		{"one term without", []corev1.NodeSelectorTerm{term(home), term(requirement("x", "y"))}, true},
		{"an empty term", []corev1.NodeSelectorTerm{term(home), {}}, true},
		{"abroad as well", []corev1.NodeSelectorTerm{term(requirement(v1alpha1.LabelJurisdiction, "LC", "US"))}, true},
		{"anywhere but", []corev1.NodeSelectorTerm{term(corev1.NodeSelectorRequirement{Key: v1alpha1.LabelJurisdiction, Operator: corev1.NodeSelectorOpNotIn, Values: []string{"US"}})}, true},
		{"any labelled", []corev1.NodeSelectorTerm{term(corev1.NodeSelectorRequirement{Key: v1alpha1.LabelJurisdiction, Operator: corev1.NodeSelectorOpExists})}, true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			pod := tenantPod("refused", "bare", func(p *corev1.PodSpec) { p.Affinity = affinity(tc.terms...) })
			err := suite.client.Create(t.Context(), pod, client.DryRunAll)
			if apierrors.IsForbidden(err) != tc.refused {
				t.Errorf("err = %v, want refused %t", err, tc.refused)
			}
		})
	}
}

func claim(tenant, name string, class *string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.NamespaceFor(tenant), Name: name},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
}

func TestVolumesAreMadeAtHome(t *testing.T) {
	startOperator(t, nil)
	everywhere := storageClass("everywhere", "")
	everywhere.Annotations = map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}
	create(t, everywhere)
	t.Cleanup(func() { _ = suite.client.Delete(context.Background(), everywhere) })
	create(t, storageClass("local-us", "US"))
	create(t, newTenant("volumes"))
	awaitReady(t, "volumes")
	tests := []struct {
		name    string
		class   *string
		refused bool
	}{
		{"at home", ptr.To("local-lc"), false},
		{"abroad", ptr.To("local-us"), true},
		{"of a class that declares nothing", ptr.To("everywhere"), true},
		{"of a class that does not exist", ptr.To("by-hand"), true},
		{"without a class", ptr.To(""), true},
		{"of the default class", nil, true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			err := suite.client.Create(t.Context(), claim("volumes", "data", tc.class), client.DryRunAll)
			if apierrors.IsForbidden(err) != tc.refused {
				t.Errorf("err = %v, want refused %t", err, tc.refused)
			}
		})
	}
}

// A database waits for a storage class at home, and keeps the one it was made with.
func TestDatabaseWaitsForAStorageClassAtHome(t *testing.T) {
	startOperator(t, nil)
	tenant := newTenant("noclass")
	tenant.Spec.Country = "NZ"
	create(t, tenant)
	awaitTenant(t, "noclass", v1alpha1.ConditionDatabaseReady, metav1.ConditionFalse, "no StorageClass is labelled ejustice.dev/jurisdiction=NZ")
	create(t, storageClass("nz-slow", "NZ"))
	awaitReady(t, "noclass")
	create(t, storageClass("nz-fast", "NZ")) // the first by name from now on
	classOf := func() string {
		var cluster unstructured.Unstructured
		get(t, "noclass", database.ClusterKind, database.ClusterName, &cluster)
		class, _, _ := unstructured.NestedString(cluster.Object, "spec", "storage", "storageClass")
		return class
	}
	await(t, "the new class to be allowed", func() (bool, string) {
		err := suite.client.Create(t.Context(), claim("noclass", "data", ptr.To("nz-fast")), client.DryRunAll)
		return err == nil, fmt.Sprint(err)
	})
	awaitReady(t, "noclass")
	if got := classOf(); got != "nz-slow" {
		t.Errorf("class = %s, want the database to keep nz-slow", got)
	}

	// A class that lies elsewhere cannot be asked for.
	wrong := newTenant("wrongclass")
	wrong.Spec.Residency = &v1alpha1.Residency{StorageClass: "nz-fast"}
	create(t, wrong)
	awaitTenant(t, "wrongclass", v1alpha1.ConditionDatabaseReady, metav1.ConditionFalse, "volumes of StorageClass nz-fast lie in NZ")
}

func TestOnlyTheOperatorMarksTenantsNamespaces(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("marked"))
	awaitReady(t, "marked")
	ns := func() *corev1.Namespace {
		n := &corev1.Namespace{}
		if err := suite.client.Get(t.Context(), client.ObjectKey{Name: "justice-marked"}, n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	edits := map[string]func(*corev1.Namespace){
		"another jurisdiction": func(n *corev1.Namespace) { n.Annotations[v1alpha1.AnnotationJurisdictions] = "LC,US" },
		"another class":        func(n *corev1.Namespace) { n.Annotations[v1alpha1.AnnotationStorageClasses] = "everywhere" },
		"no jurisdiction":      func(n *corev1.Namespace) { delete(n.Annotations, v1alpha1.AnnotationJurisdictions) },
		"no tenant":            func(n *corev1.Namespace) { delete(n.Labels, v1alpha1.LabelTenant) },
		"a new mark":           func(n *corev1.Namespace) { n.Labels["ejustice.dev/front-door"] = "" },
		"privileged pods":      func(n *corev1.Namespace) { n.Labels["pod-security.kubernetes.io/enforce"] = "privileged" },
	}
	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			n := ns()
			edit(n)
			if err := suite.client.Update(t.Context(), n, client.DryRunAll); !apierrors.IsForbidden(err) {
				t.Errorf("err = %v, want it refused", err)
			}
		})
	}
	t.Run("a namespace of somebody's own making", func(t *testing.T) {
		fake := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "justice-fake", Labels: map[string]string{v1alpha1.LabelTenant: "marked"}}}
		if err := suite.client.Create(t.Context(), fake, client.DryRunAll); !apierrors.IsForbidden(err) {
			t.Errorf("err = %v, want it refused", err)
		}
	})
	t.Run("a mark that is nobody's business", func(t *testing.T) {
		n := ns()
		n.Labels["example.org/team"] = "courts"
		if err := suite.client.Update(t.Context(), n, client.DryRunAll); err != nil {
			t.Error(err)
		}
	})
	t.Run("the report", func(t *testing.T) {
		report := &corev1.ConfigMap{}
		if err := suite.client.Get(t.Context(), reportKey("marked"), report); err != nil {
			t.Fatal(err)
		}
		report.Data["report.txt"] = "all is well"
		if err := suite.client.Update(t.Context(), report, client.DryRunAll); !apierrors.IsForbidden(err) {
			t.Errorf("err = %v, want it refused", err)
		}
		if err := suite.client.Delete(t.Context(), report, client.DryRunAll); !apierrors.IsForbidden(err) {
			t.Errorf("err = %v, want it refused", err)
		}
	})
}

func reportKey(tenant string) client.ObjectKey {
	return client.ObjectKey{Namespace: v1alpha1.NamespaceFor(tenant), Name: residency.ReportName}
}

// Resident is a proof: it turns false, by name, when a node's label says that it stands
// elsewhere, and when a volume cannot be placed.
func TestResidentIsAProof(t *testing.T) {
	startOperator(t, nil)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "proof-node", Labels: map[string]string{v1alpha1.LabelJurisdiction: "LC", corev1.LabelHostname: "proof-node"}}}
	create(t, node)
	t.Cleanup(func() { _ = suite.client.Delete(context.Background(), node) })
	create(t, newTenant("proof"))
	awaitReady(t, "proof")

	pod := tenantPod("proof", "database-1", nil)
	pod.Labels = map[string]string{"cnpg.io/cluster": database.ClusterName, "cnpg.io/instanceRole": "primary"}
	create(t, pod)
	bind := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: node.Name}}
	if err := suite.client.SubResource("binding").Create(t.Context(), pod, bind); err != nil {
		t.Fatal(err)
	}
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "proof-volume"},
		Spec: corev1.PersistentVolumeSpec{
			StorageClassName: "local-lc", AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Capacity:               corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			PersistentVolumeSource: corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: "/data"}},
			NodeAffinity:           &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{term(requirement(corev1.LabelHostname, node.Name))}}},
		},
	}
	create(t, volume)
	data := claim("proof", "data", ptr.To("local-lc"))
	data.Spec.VolumeName = volume.Name
	create(t, data)

	awaitReport := func(want ...string) {
		t.Helper()
		await(t, fmt.Sprintf("a report with %q", want), func() (bool, string) {
			report := &corev1.ConfigMap{}
			if err := suite.client.Get(context.Background(), reportKey("proof"), report); err != nil {
				return false, err.Error()
			}
			text := strings.Join(strings.Fields(report.Data["report.txt"]), " ")
			return !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(text, w) }), text
		})
	}
	awaitReport("everything lies there", "database instance database-1 the database's primary proof-node LC yes",
		"volume data a volume that belongs to no module proof-node LC yes", "none are taken in this release")
	awaitTenant(t, "proof", v1alpha1.ConditionResident, metav1.ConditionTrue, "")

	relabel := func(jurisdiction string) {
		change(t, client.ObjectKeyFromObject(node), &corev1.Node{}, func(n *corev1.Node) {
			delete(n.Labels, v1alpha1.LabelJurisdiction)
			if jurisdiction != "" {
				n.Labels[v1alpha1.LabelJurisdiction] = jurisdiction
			}
		})
	}
	begin := time.Now()
	relabel("US")
	awaitTenant(t, "proof", v1alpha1.ConditionResident, metav1.ConditionFalse, "the database's primary lies in US (node proof-node)")
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s to see, want at most 10s", took)
	}
	awaitTenant(t, "proof", v1alpha1.ConditionReady, metav1.ConditionFalse, "data may lie in LC only")
	awaitReport("NOT everything lies there", "proof-node US NO")

	relabel("")
	awaitTenant(t, "proof", v1alpha1.ConditionResident, metav1.ConditionFalse, "in a place that nobody declares (node proof-node)")
	relabel("LC")
	awaitTenant(t, "proof", v1alpha1.ConditionResident, metav1.ConditionTrue, "")
	awaitReady(t, "proof")
	awaitReport("everything lies there")
}
