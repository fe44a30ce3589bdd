//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/hack/tenant"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestTenant follows one country's platform through its life: provisioned, used
// under failure, changed, broken and mended, deleted and taken up again.
func TestTenant(t *testing.T) {
	const name = "e2e"
	namespace := v1alpha1.NamespaceFor(name)
	remove(t, name)
	jt := sample(t, name)
	t.Cleanup(func() {
		remove(t, name)
		withdraw(t, "0.1.1", "0.1.2")
	})
	provision(t, jt)

	var acknowledged map[string]string
	ok := t.Run("100 cases from 8 clients survive the loss of the operator and the module", func(t *testing.T) {
		acknowledged = fileConcurrently(t, namespace, "first", 100, func(n int) {
			var err error
			switch n {
			case 30:
				err = killPods(t.Context(), namespace, client.MatchingLabels{v1alpha1.LabelModule: module})
			case 60:
				err = killPods(t.Context(), operatorNamespace, client.MatchingLabels{"app.kubernetes.io/name": "ejustice-operator"})
			}
			if err != nil {
				t.Error(err)
			}
		})
		onFile := list(t, namespace)
		requireAll(t, onFile, acknowledged)
		var numbers []string
		for _, c := range onFile {
			numbers = append(numbers, c.FilingNumber)
		}
		requireGapless(t, numbers, lastPart)
	})
	if !ok {
		t.FailNow()
	}

	t.Run("registration numbers are apart from filing numbers and gapless", func(t *testing.T) {
		s := &session{namespace: namespace}
		defer s.close()
		var numbers []string
		for _, id := range acknowledged {
			var registered *tenant.Case
			if err := s.do(t.Context(), func(cm *tenant.CaseManagement) (err error) {
				registered, err = cm.Register(t.Context(), id)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if numbers = append(numbers, registered.RegistrationNumber); len(numbers) == 20 {
				break
			}
		}
		requireGapless(t, numbers, firstPart)
	})

	t.Run("a case's page reads in Arabic from right to left", func(t *testing.T) {
		id := ""
		for _, id = range acknowledged {
			break
		}
		code, _, body := get(t, namespace, "/cases/"+id+"?lang=ar")
		if code != 200 || !strings.Contains(body, `dir="rtl"`) || !strings.Contains(body, "Example Company") {
			t.Errorf("status %d, page:\n%s", code, body)
		}
	})

	t.Run("a deleted CourtModule comes back with every case", func(t *testing.T) {
		before, err := courtModule(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := cluster.Delete(t.Context(), before); err != nil {
			t.Fatal(err)
		}
		await(t, "another CourtModule is Ready", readyWithin, func(ctx context.Context) (bool, error) {
			now, err := courtModule(ctx, name)
			return err == nil && now.UID != before.UID && meta.IsStatusConditionTrue(now.Status.Conditions, v1alpha1.ConditionReady), err
		})
		requireAll(t, list(t, namespace), acknowledged)
	})

	t.Run("a changed value rolls out", func(t *testing.T) {
		var courts []map[string]any
		if err := json.Unmarshal(jt.Spec.Modules[0].Values["courts"].Raw, &courts); err != nil {
			t.Fatal(err)
		}
		courts = append(courts, map[string]any{
			"code": "NEW-SOLH", "names": map[string]string{"ar": "محكمة صلح جديدة", "en": "New Magistrates' Court"},
			"level": "magistrates", "caseTypes": []string{"CIV"},
		})
		raw, err := json.Marshal(courts)
		if err != nil {
			t.Fatal(err)
		}
		jt.Spec.Modules[0].Values["courts"] = apiextensionsv1.JSON{Raw: raw}
		provision(t, jt)
		// The old pod finishes what it has begun on connections that it has.
		await(t, "the new court is served", time.Minute, func(context.Context) (bool, error) {
			_, _, body := get(t, namespace, "/api/v1/courts")
			return strings.Contains(body, "NEW-SOLH"), nil
		})
	})

	t.Run("a broken chart is named and the old version still serves", func(t *testing.T) {
		publish(t, "0.1.1", func(c *v1alpha1.CatalogModule) {
			c.Chart.Digest = "sha256:" + strings.Repeat("0", 64)
		})
		jt.Spec.Release = "0.1.1"
		apply(t, jt)
		await(t, "the module says that its chart cannot be had", time.Minute, func(ctx context.Context) (bool, error) {
			m, err := courtModule(ctx, name)
			if err != nil {
				return false, err
			}
			ready := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady)
			return ready != nil && ready.Status == metav1.ConditionFalse && strings.Contains(ready.Message, "chart"), nil
		})
		requireAll(t, list(t, namespace), acknowledged)

		publish(t, "0.1.2", func(*v1alpha1.CatalogModule) {})
		jt.Spec.Release = "0.1.2"
		provision(t, jt)
	})

	t.Run("a retained tenant comes back with every case", func(t *testing.T) {
		if err := cluster.Delete(t.Context(), jt.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		await(t, "the tenant is gone", 2*time.Minute, func(ctx context.Context) (bool, error) {
			return isGone(ctx, &v1alpha1.JusticeTenant{ObjectMeta: metav1.ObjectMeta{Name: name}})
		})
		if _, err := cluster.ReadyPod(t.Context(), namespace, module); err == nil {
			t.Error("a module of a deleted tenant still runs")
		}
		provision(t, jt)
		requireAll(t, list(t, namespace), acknowledged)
	})

	t.Run("an unconfirmed deletion deletes nothing", func(t *testing.T) {
		jt.Spec.DeletionPolicy = v1alpha1.DeletionDelete
		apply(t, jt)
		if err := cluster.Delete(t.Context(), jt.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		await(t, "the tenant asks for confirmation", time.Minute, func(ctx context.Context) (bool, error) {
			var live v1alpha1.JusticeTenant
			if err := cluster.Get(ctx, client.ObjectKey{Name: name}, &live); err != nil {
				return false, err
			}
			ready := meta.FindStatusCondition(live.Status.Conditions, v1alpha1.ConditionReady)
			return ready != nil && strings.Contains(ready.Message, v1alpha1.AnnotationConfirmDeletion), nil
		})
		requireAll(t, list(t, namespace), acknowledged)
	})
}

// publish makes a release of its own out of the newest real one.
func publish(t *testing.T, version string, change func(*v1alpha1.CatalogModule)) {
	t.Helper()
	var real v1alpha1.ModuleCatalog
	if err := cluster.Get(t.Context(), client.ObjectKey{Name: "0.1.0"}, &real); err != nil {
		t.Fatal(err)
	}
	catalog := &v1alpha1.ModuleCatalog{ObjectMeta: metav1.ObjectMeta{Name: version}, Spec: *real.Spec.DeepCopy()}
	change(&catalog.Spec.Modules[0])
	if err := client.IgnoreNotFound(cluster.Delete(t.Context(), catalog.DeepCopy())); err != nil {
		t.Fatal(err)
	}
	apply(t, catalog)
}

// withdraw takes releases away that no tenant follows any more.
func withdraw(t *testing.T, versions ...string) {
	t.Helper()
	for _, version := range versions {
		catalog := &v1alpha1.ModuleCatalog{ObjectMeta: metav1.ObjectMeta{Name: version}}
		if err := client.IgnoreNotFound(cluster.Delete(context.Background(), catalog)); err != nil {
			t.Error(err)
		}
	}
}
