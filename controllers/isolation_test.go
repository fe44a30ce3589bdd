package controllers

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/certificates"
	"ejustice.dev/operator/internal/database"
)

// clientAs is a client of somebody with every right that roles can give, and none beyond.
func clientAs(t *testing.T, user string) client.Client {
	t.Helper()
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
	create(t, binding)
	t.Cleanup(func() { _ = suite.client.Delete(context.Background(), binding) })
	config := rest.CopyConfig(suite.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}}
	c, err := client.New(config, client.Options{Scheme: Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "rights of "+user, func() (bool, string) {
		err := c.List(t.Context(), &corev1.SecretList{}, client.Limit(1))
		return err == nil, fmt.Sprint(err)
	})
	return c
}

// What no role may allow: each attempt is refused by an admission policy, even of somebody who
// holds every right.
func TestWhatNobodyMayDoInATenantsNamespace(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("closed"))
	awaitReady(t, "closed")
	const ns = "justice-closed"
	ministry := clientAs(t, "ministry")
	service := func(edit func(*corev1.ServiceSpec)) *corev1.Service {
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "door"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
		edit(&s.Spec)
		return s
	}
	pod := func(edit func(*corev1.PodSpec)) *corev1.Pod { return tenantPod("closed", "attempt", edit) }
	image := func(ref string) *corev1.Pod { return pod(func(p *corev1.PodSpec) { p.Containers[0].Image = ref }) }
	digest := "@sha256:" + strings.Repeat("a", 64)
	creations := []struct {
		name    string
		object  client.Object
		refused string // "": allowed
	}{
		{"a Service inside", service(func(*corev1.ServiceSpec) {}), ""},
		{"a NodePort", service(func(s *corev1.ServiceSpec) { s.Type = corev1.ServiceTypeNodePort }), "ClusterIP"},
		{"a LoadBalancer", service(func(s *corev1.ServiceSpec) { s.Type = corev1.ServiceTypeLoadBalancer }), "ClusterIP"},
		{"another name for somewhere else", service(func(s *corev1.ServiceSpec) {
			s.Type, s.ExternalName = corev1.ServiceTypeExternalName, "casemanagement.justice-other.svc"
		}), "ClusterIP"},
		{"an address outside", service(func(s *corev1.ServiceSpec) { s.ExternalIPs = []string{"192.0.2.1"} }), "externalIPs"},
		{"a known image", image("registry.example.org/tool" + digest), ""},
		{"a foreign registry", image("docker.io/library/tool" + digest), "come from registry.example.org"},
		{"a registry of a longer name", image("registry.example.org.evil.example/tool" + digest), "come from"},
		{"an image by tag", image("registry.example.org/tool:latest"), "digest"},
		{"a foreign init image", pod(func(p *corev1.PodSpec) {
			p.InitContainers = []corev1.Container{*p.Containers[0].DeepCopy()}
			p.InitContainers[0].Name, p.InitContainers[0].Image = "first", "evil.example/x"+digest
		}), "evil.example"},
		{"a folder of the host", pod(func(p *corev1.PodSpec) {
			p.Volumes = []corev1.Volume{{Name: "root", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
		}), "PodSecurity"},
		{"the host's network", pod(func(p *corev1.PodSpec) { p.HostNetwork = true }), "PodSecurity"},
		{"the host's processes", pod(func(p *corev1.PodSpec) { p.HostPID = true }), "PodSecurity"},
		{"a privileged container", pod(func(p *corev1.PodSpec) {
			p.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil
			p.Containers[0].SecurityContext.Privileged = ptr.To(true)
		}), "PodSecurity"},
		{"a way through the network", &networkingv1.NetworkPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "open"},
			Spec:       networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}},
		}, "operator alone"},
		{"a way in", routeObject(ns), "operator alone"},
	}
	for _, tc := range creations {
		t.Run(tc.name, func(t *testing.T) {
			err := ministry.Create(t.Context(), tc.object, client.DryRunAll)
			requireRefused(t, err, tc.refused)
		})
	}

	owned := map[string]client.Object{
		"the quota":            &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "tenant"}},
		"the limits":           &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "tenant"}},
		"a network policy":     &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "default-deny"}},
		"a role binding":       &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "tenant-viewer"}},
		"a module's Service":   &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "casemanagement"}},
		"a module's program":   &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "casemanagement"}},
		"a certificate":        certificateObject(),
		"the database cluster": clusterObject(),
	}
	for name, object := range owned {
		t.Run(name, func(t *testing.T) {
			if err := ministry.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: object.GetName()}, object); err != nil {
				t.Fatal(err)
			}
			before := object.DeepCopyObject().(client.Object)
			object.SetLabels(map[string]string{"taken": "over"})
			requireRefused(t, ministry.Patch(t.Context(), object, client.MergeFrom(before), client.DryRunAll), "elongs to the operator|operator alone")
			requireRefused(t, ministry.Delete(t.Context(), before, client.DryRunAll), "elongs to the operator|operator alone")
		})
	}
	t.Run("the number of replicas", func(t *testing.T) {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "casemanagement"}}
		scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 0}}
		err := ministry.SubResource("scale").Update(t.Context(), d, client.WithSubResourceBody(scale), client.DryRunAll)
		requireRefused(t, err, "elongs to the operator")
	})
}

func certificateObject() *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(certificates.CertificateKind)
	u.SetName("casemanagement")
	return u
}

func clusterObject() *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(database.ClusterKind)
	u.SetName(database.ClusterName)
	return u
}

// requireRefused wants an error that holds one of the texts, which | separates; "" wants none.
func requireRefused(t *testing.T, err error, texts string) {
	t.Helper()
	if texts == "" {
		if err != nil {
			t.Errorf("err = %v, want it allowed", err)
		}
		return
	}
	if apierrors.IsForbidden(err) {
		for text := range strings.SplitSeq(texts, "|") {
			if strings.Contains(err.Error(), text) {
				return
			}
		}
	}
	t.Errorf("err = %v, want it refused with %q", err, texts)
}

// Those who keep a database running are let through.
func TestCloudNativePGMayWork(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("worked"))
	awaitReady(t, "worked")
	const ns = "justice-worked"
	tests := []struct {
		user    string
		refused string
	}{
		{"system:serviceaccount:cnpg-system:cnpg-manager", ""},
		{"system:serviceaccount:justice-worked:database", ""},
		{"system:serviceaccount:justice-worked:cnpg-manager", "belongs to the operator"},
		{"system:serviceaccount:justice-other:database", "belongs to the operator"},
		{"system:serviceaccount:kube-system:generic-garbage-collector", ""},
	}
	for _, tc := range tests {
		t.Run(tc.user, func(t *testing.T) {
			u := &unstructured.Unstructured{}
			u.SetGroupVersionKind(database.DatabaseKind)
			c := clientAs(t, tc.user)
			if err := c.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "casemanagement-database"}, u); err != nil {
				t.Fatal(err)
			}
			before := u.DeepCopy()
			u.SetFinalizers(append(u.GetFinalizers(), "cnpg.io/deleteDatabase"))
			requireRefused(t, c.Patch(t.Context(), u, client.MergeFrom(before), client.DryRunAll), tc.refused)
		})
	}
}

// A way that somebody opened through the network is closed again.
func TestNetworkPoliciesAreKept(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("walls"))
	awaitReady(t, "walls")
	key := client.ObjectKey{Namespace: v1alpha1.NamespaceFor("walls"), Name: "default-deny"}
	read := func(name string) *networkingv1.NetworkPolicy {
		p := &networkingv1.NetworkPolicy{}
		if err := suite.client.Get(t.Context(), client.ObjectKey{Namespace: key.Namespace, Name: name}, p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := read("default-deny"); len(p.Spec.PolicyTypes) != 2 || len(p.Spec.Ingress)+len(p.Spec.Egress) != 0 || len(p.Spec.PodSelector.MatchLabels) != 0 {
		t.Errorf("default-deny = %+v", p.Spec)
	}
	// The API server's address is the one that its own Service leads to.
	slice := &discoveryv1.EndpointSlice{}
	if err := suite.client.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "kubernetes"}, slice); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("%d <nil>}] [{nil nil &IPBlock{CIDR:%s/32", *slice.Ports[0].Port, slice.Endpoints[0].Addresses[0])
	if p := fmt.Sprint(read("database").Spec.Egress); !strings.Contains(p, address) {
		t.Errorf("the database cannot reach the API server: %s", p)
	}
	change(t, key, &networkingv1.NetworkPolicy{}, func(p *networkingv1.NetworkPolicy) {
		p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
	})
	await(t, "the way to be closed", func() (bool, string) {
		p := read("default-deny")
		return len(p.Spec.Ingress) == 0, fmt.Sprint(p.Spec)
	})
	if err := suite.client.Delete(t.Context(), read("default-deny")); err != nil {
		t.Fatal(err)
	}
	await(t, "the policy to be back", func() (bool, string) {
		err := suite.client.Get(t.Context(), key, &networkingv1.NetworkPolicy{})
		return err == nil, fmt.Sprint(err)
	})
}

// What the walls are not for: a controller marks a pod it did not make anew, and a ministry
// changes what is its own.
func TestWhatTheWallsLetThrough(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("through"))
	awaitReady(t, "through")
	pod := tenantPod("through", "ended", func(p *corev1.PodSpec) {
		p.Containers[0].Image = "registry.example.org/tool@sha256:" + strings.Repeat("a", 64)
	})
	own := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "justice-through", Name: "ministry"}}
	for user, object := range map[string]client.Object{"system:serviceaccount:kube-system:job-controller": pod, "ministry": own} {
		c := clientAs(t, user)
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		before := object.DeepCopyObject().(client.Object)
		object.SetLabels(map[string]string{"seen": "yes"})
		requireRefused(t, c.Patch(t.Context(), object, client.MergeFrom(before)), "")
		requireRefused(t, c.Delete(t.Context(), object), "")
	}
}
