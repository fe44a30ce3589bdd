package controllers

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/certificates"
	"ejustice.dev/operator/internal/database"
	"ejustice.dev/operator/internal/vault"
)

// tenantKinds are the kinds of objects that a tenant's namespace holds.
var tenantKinds = []schema.GroupVersionKind{
	{Version: "v1", Kind: "Secret"}, {Version: "v1", Kind: "ConfigMap"}, {Version: "v1", Kind: "Service"},
	{Version: "v1", Kind: "ServiceAccount"}, {Version: "v1", Kind: "ResourceQuota"}, {Version: "v1", Kind: "LimitRange"},
	{Group: "apps", Version: "v1", Kind: "Deployment"},
	{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
	database.ClusterKind, database.DatabaseKind,
	certificates.IssuerKind, certificates.CertificateKind, routeKind,
	v1alpha1.GroupVersion.WithKind("CourtModule"),
}

// dump writes down everything a tenant consists of, one object a line, without what differs
// between two tenants that are the same: names, identities, times, passwords.
func dump(t *testing.T, tenant string) []string {
	t.Helper()
	var lines []string
	add := func(u *unstructured.Unstructured) {
		if line := normalised(t, u, tenant); line != "" {
			lines = append(lines, line)
		}
	}
	for key, kind := range map[string]schema.GroupVersionKind{
		tenant:                        v1alpha1.GroupVersion.WithKind("JusticeTenant"),
		v1alpha1.NamespaceFor(tenant): {Version: "v1", Kind: "Namespace"},
	} {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(kind)
		if err := suite.client.Get(t.Context(), client.ObjectKey{Name: key}, u); err != nil {
			t.Fatalf("reading %s %s: %v", kind.Kind, key, err)
		}
		add(u)
	}
	for _, kind := range tenantKinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := suite.client.List(t.Context(), list, client.InNamespace(v1alpha1.NamespaceFor(tenant))); err != nil {
			t.Fatalf("listing %s: %v", kind.Kind, err)
		}
		for i := range list.Items {
			add(&list.Items[i])
		}
	}
	lines = append(lines, dumpVault(t, tenant)...)
	slices.Sort(lines)
	return lines
}

// dumpVault writes down what the tenant has in Vault.
func dumpVault(t *testing.T, tenant string) []string {
	t.Helper()
	var lines []string
	for path, mount := range mountsOf(t, tenant) {
		lines = append(lines, "mount "+strings.ReplaceAll(path, tenant, "TENANT")+" "+mount.Type)
	}
	issuers, err := suite.vault.Root.Logical().ListWithContext(t.Context(), vault.Mount(tenant)+"/pki/issuers")
	if err != nil || issuers == nil {
		t.Fatalf("listing the tenant's authorities: %v", err)
	}
	lines = append(lines, fmt.Sprintf("%d authorities", len(issuers.Data["keys"].([]any))))
	for _, path := range []string{keyPath(tenant), keyPath(tenant) + ".trace"} {
		key := inVault(t, path)
		lines = append(lines, fmt.Sprintf("key %v version %v rotated after %v s", key["type"], key["latest_version"], key["auto_rotate_period"]))
	}
	for _, path := range []string{
		moduleRole(tenant), "auth/jwt/role/" + vault.RoleFor(tenant, vault.CertificatesAccount),
		"sys/policies/acl/" + vault.RoleFor(tenant, "casemanagement"), "sys/policies/acl/" + vault.RoleFor(tenant, vault.CertificatesAccount),
		vault.Mount(tenant) + "/database/roles/casemanagement", vault.Mount(tenant) + "/database/roles/" + vault.Migration("casemanagement"),
		"auth/jwt/role/" + vault.MigrationRoleFor(tenant, "casemanagement"), "sys/policies/acl/" + vault.MigrationRoleFor(tenant, "casemanagement"),
		vault.Mount(tenant) + "/pki/roles/" + vault.RoleModules, vault.Mount(tenant) + "/pki/roles/" + vault.RoleDatabase,
	} {
		lines = append(lines, strings.ReplaceAll(strings.ReplaceAll(fmt.Sprint(path, inVault(t, path)), tenant, "TENANT"), strings.ReplaceAll(tenant, "-", "_"), "TENANT"))
	}
	return lines
}

func normalised(t *testing.T, u *unstructured.Unstructured, tenant string) string {
	t.Helper()
	if u.GetLabels()["owner"] == "helm" {
		// A Helm operation that was cut off leaves a failed revision behind, and the next
		// one has a higher number. What must be the same is what is deployed.
		if u.GetLabels()["status"] != "deployed" {
			return ""
		}
		return "helm release " + u.GetLabels()["name"] + " deployed"
	}
	object := u.DeepCopy().Object
	metadata := object["metadata"].(map[string]any)
	for _, key := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"} {
		delete(metadata, key)
	}
	if _, ok := u.GetAnnotations()[v1alpha1.AnnotationAppliedHash]; ok {
		metadata["annotations"].(map[string]any)[v1alpha1.AnnotationAppliedHash] = "HASH"
	}
	switch u.GetKind() {
	case "Secret":
		decodeSecret(t, object)
	case "Service":
		unstructured.RemoveNestedField(object, "spec", "clusterIP")
		unstructured.RemoveNestedField(object, "spec", "clusterIPs")
	}
	withoutMoments(object)
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.ReplaceAll(string(raw), tenant, "TENANT")
	return u.GetKind() + " " + strings.ReplaceAll(line, strings.ReplaceAll(tenant, "-", "_"), "TENANT")
}

func decodeSecret(t *testing.T, object map[string]any) {
	t.Helper()
	data, _ := object["data"].(map[string]any)
	for key, value := range data {
		raw, err := base64.StdEncoding.DecodeString(fmt.Sprint(value))
		if err != nil {
			t.Fatal(err)
		}
		if key == "ca.crt" {
			raw = []byte("AUTHORITY") // each tenant has its own
		}
		data[key] = string(raw)
	}
}

// withoutMoments drops times and counters of changes at any depth.
func withoutMoments(v any) {
	switch x := v.(type) {
	case map[string]any:
		for _, key := range []string{"lastTransitionTime", "observedGeneration", "helmRevision"} {
			delete(x, key)
		}
		for _, child := range x {
			withoutMoments(child)
		}
	case []any:
		for _, child := range x {
			withoutMoments(child)
		}
	}
}
