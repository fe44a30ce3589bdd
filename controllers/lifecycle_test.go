package controllers

import (
	"context"
	"fmt"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
)

// newTenant is a tenant that lists casemanagement.
func newTenant(name string) *v1alpha1.JusticeTenant {
	return &v1alpha1.JusticeTenant{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.JusticeTenantSpec{
			Country:      "LC",
			DisplayNames: map[string]v1alpha1.DisplayName{"en": "Courts of Saint Lucia"},
			Languages:    []v1alpha1.LanguageTag{"en"},
			TimeZone:     "America/St_Lucia",
			Domain:       name + ".justice.example",
			Release:      testRelease,
			Modules: []v1alpha1.TenantModule{{
				Name:           "casemanagement",
				ModuleSettings: v1alpha1.ModuleSettings{Values: values("greeting", `"good day"`)},
			}},
		},
	}
}

func values(key, json string) map[string]apiextensionsv1.JSON {
	return map[string]apiextensionsv1.JSON{key: {Raw: []byte(json)}}
}

func create(t *testing.T, o client.Object) {
	t.Helper()
	if err := suite.client.Create(t.Context(), o); err != nil {
		t.Fatalf("creating %s: %v", o.GetName(), err)
	}
}

// change edits an object as an administrator would.
func change[T client.Object](t *testing.T, key client.ObjectKey, object T, edit func(T)) {
	t.Helper()
	if err := suite.client.Get(t.Context(), key, object); err != nil {
		t.Fatalf("reading %s: %v", key.Name, err)
	}
	before := object.DeepCopyObject().(client.Object)
	edit(object)
	if err := suite.client.Patch(t.Context(), object, client.MergeFrom(before)); err != nil {
		t.Fatalf("changing %s: %v", key.Name, err)
	}
}

func tenantKey(name string) client.ObjectKey { return client.ObjectKey{Name: name} }

func moduleKey(tenant string) client.ObjectKey {
	return client.ObjectKey{Namespace: v1alpha1.NamespaceFor(tenant), Name: "casemanagement"}
}

// awaitTenant waits until a condition of the tenant has the status and its message holds the
// text.
func awaitTenant(t *testing.T, name, conditionType string, want metav1.ConditionStatus, text string) *v1alpha1.JusticeTenant {
	t.Helper()
	tenant := &v1alpha1.JusticeTenant{}
	await(t, fmt.Sprintf("tenant %s: %s=%s %q", name, conditionType, want, text), func() (bool, string) {
		if err := suite.client.Get(context.Background(), tenantKey(name), tenant); err != nil {
			return false, err.Error()
		}
		return hasCondition(tenant.Status.Conditions, tenant.Generation, conditionType, want, text)
	})
	return tenant
}

func awaitModule(t *testing.T, tenant, conditionType string, want metav1.ConditionStatus, text string) *v1alpha1.CourtModule {
	t.Helper()
	m := &v1alpha1.CourtModule{}
	await(t, fmt.Sprintf("module of %s: %s=%s %q", tenant, conditionType, want, text), func() (bool, string) {
		if err := suite.client.Get(context.Background(), moduleKey(tenant), m); err != nil {
			return false, err.Error()
		}
		return hasCondition(m.Status.Conditions, m.Generation, conditionType, want, text)
	})
	return m
}

func hasCondition(conditions []metav1.Condition, generation int64, conditionType string, want metav1.ConditionStatus, text string) (bool, string) {
	saw := "no such condition"
	for _, c := range conditions {
		if c.Type == conditionType {
			saw = fmt.Sprintf("%s=%s %s: %s (generation %d of %d)", c.Type, c.Status, c.Reason, c.Message, c.ObservedGeneration, generation)
			if c.Status == want && strings.Contains(c.Message, text) && c.ObservedGeneration == generation {
				return true, saw
			}
		}
	}
	return false, saw
}

func awaitReady(t *testing.T, name string) *v1alpha1.JusticeTenant {
	t.Helper()
	return awaitTenant(t, name, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
}

func TestProvision(t *testing.T) {
	startOperator(t, nil)
	create(t, newTenant("provision"))
	tenant := awaitReady(t, "provision")
	if got := tenant.Status.ModulesReady; got != "1/1" {
		t.Errorf("modulesReady = %q, want 1/1", got)
	}
	if got := tenant.Status.Release; got != testRelease {
		t.Errorf("release = %q, want %s", got, testRelease)
	}
}
