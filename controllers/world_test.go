package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/internal/certificates"
	"ejustice.dev/operator/internal/database"
	"ejustice.dev/operator/internal/vault"
)

// world plays the controllers that a bare API server lacks: CloudNativePG, cert-manager, a Gateway, the
// Deployment controller and the namespace controller.
func world(ctx context.Context) {
	for ctx.Err() == nil {
		err := errors.Join(runClusters(ctx), runDatabases(ctx), runCertificates(ctx), runRoutes(ctx), runDeployments(ctx), emptyNamespaces(ctx))
		if err != nil && ctx.Err() == nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			fmt.Println("world:", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// paused holds namespaces in which nothing becomes ready.
var paused sync.Map

func runClusters(ctx context.Context) error {
	return each(ctx, database.ClusterKind, func(u *unstructured.Unstructured) map[string]any {
		instances, _, _ := unstructured.NestedInt64(u.Object, "spec", "instances")
		roles, _, _ := unstructured.NestedSlice(u.Object, "spec", "managed", "roles")
		var names []any
		for _, role := range roles {
			names = append(names, role.(map[string]any)["name"])
		}
		ready := map[string]any{"type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
		status := map[string]any{
			"phase": "Cluster in healthy state", "readyInstances": instances, "conditions": []any{ready},
			"managedRolesStatus": map[string]any{"byStatus": map[string]any{"reconciled": names}},
		}
		if database.Hibernates(u) {
			status["readyInstances"] = int64(0)
			status["conditions"] = []any{ready, map[string]any{"type": "cnpg.io/hibernation", "status": "True", "reason": "Hibernated", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}}
		}
		return status
	})
}

func runDatabases(ctx context.Context) error {
	return each(ctx, database.DatabaseKind, func(u *unstructured.Unstructured) map[string]any {
		return map[string]any{"applied": true, "observedGeneration": u.GetGeneration()}
	})
}

// expiring holds namespaces whose certificates cert-manager no longer renews.
var expiring sync.Map

func runCertificates(ctx context.Context) error {
	return errors.Join(issueCertificates(ctx), markCertificates(ctx))
}

// issued remembers the certificates that have their Secret, so that not all are asked for again
// and again.
var issued sync.Map

// issueCertificates puts the present authority of a tenant beside each certificate that has none
// or is asked for anew.
func issueCertificates(ctx context.Context) error {
	list := &certmanager.CertificateList{}
	if err := suite.client.List(ctx, list); err != nil {
		return err
	}
	var problems []error
	for i := range list.Items {
		c := &list.Items[i]
		if _, done := issued.Load(c.UID); done && !issuing(c) {
			continue
		}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: c.Spec.SecretName}}
		if err := suite.client.Get(ctx, client.ObjectKeyFromObject(secret), secret); client.IgnoreNotFound(err) != nil {
			continue
		}
		authority, err := suite.vault.Root.Logical().ReadWithContext(ctx, vault.Mount(strings.TrimPrefix(c.Namespace, "justice-"))+"/pki/cert/ca")
		if err != nil || authority == nil {
			continue // cert-manager waits for Vault, too
		}
		secret.Data = map[string][]byte{"ca.crt": []byte(fmt.Sprint(authority.Data["certificate"]))}
		if secret.UID == "" {
			err = suite.client.Create(ctx, secret)
		} else {
			err = suite.client.Update(ctx, secret)
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		issued.Store(c.UID, true)
	}
	return errors.Join(problems...)
}

func markCertificates(ctx context.Context) error {
	return each(ctx, certificates.CertificateKind, func(u *unstructured.Unstructured) map[string]any {
		ends, renewal := "2126-01-01T00:00:00Z", "2125-01-01T00:00:00Z"
		if _, ok := expiring.Load(u.GetNamespace()); ok {
			renewal = "2026-01-01T00:00:00Z"
			ends = time.Now().Add(48 * time.Hour).UTC().Truncate(48 * time.Hour).Format(time.RFC3339)
		}
		return map[string]any{"notAfter": ends, "renewalTime": renewal, "conditions": []any{map[string]any{
			"type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
		}}}
	})
}

// gatewayWords holds namespaces whose routes the Gateway does not accept, with its reason; "" for
// no word at all.
var gatewayWords sync.Map

func runRoutes(ctx context.Context) error {
	return each(ctx, routeKind, func(u *unstructured.Unstructured) map[string]any {
		accepted := map[string]any{"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""}
		if reason, told := gatewayWords.Load(u.GetNamespace()); told {
			if reason == "" {
				return nil
			}
			accepted["status"], accepted["reason"], accepted["message"] = "False", reason, "as told"
		}
		resolved := map[string]any{"type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs", "message": ""}
		for _, c := range []map[string]any{accepted, resolved} {
			c["lastTransitionTime"], c["observedGeneration"] = "2026-01-01T00:00:00Z", u.GetGeneration()
		}
		return map[string]any{"parents": []any{map[string]any{
			"controllerName": "example.org/gateway", "conditions": []any{accepted, resolved},
			"parentRef": map[string]any{"group": routeKind.Group, "kind": "Gateway", "namespace": testGateway[0], "name": testGateway[1]},
		}}}
	})
}

func each(ctx context.Context, kind schema.GroupVersionKind, status func(*unstructured.Unstructured) map[string]any) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	if err := suite.client.List(ctx, list); err != nil {
		return err
	}
	var problems []error
	for i := range list.Items {
		u := &list.Items[i]
		// Certificates need no node, so nothing holds them back.
		if _, held := paused.Load(u.GetNamespace()); held && kind != certificates.CertificateKind {
			continue
		}
		want := status(u)
		have, _, _ := unstructured.NestedMap(u.Object, "status")
		if equality.Semantic.DeepEqual(have, want) {
			continue
		}
		u.Object["status"] = want
		problems = append(problems, suite.client.Status().Update(ctx, u))
	}
	return errors.Join(problems...)
}

func runDeployments(ctx context.Context) error {
	list := &appsv1.DeploymentList{}
	if err := suite.client.List(ctx, list); err != nil {
		return err
	}
	var problems []error
	for i := range list.Items {
		d := &list.Items[i]
		if _, held := paused.Load(d.Namespace); held {
			continue
		}
		n := *d.Spec.Replicas
		want := appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n}
		if equality.Semantic.DeepEqual(d.Status, want) {
			continue
		}
		d.Status = want
		problems = append(problems, suite.client.Status().Update(ctx, d))
	}
	return errors.Join(problems...)
}

// emptyNamespaces finishes namespaces that are being deleted.
func emptyNamespaces(ctx context.Context) error {
	list := &corev1.NamespaceList{}
	if err := suite.client.List(ctx, list); err != nil {
		return err
	}
	var problems []error
	for i := range list.Items {
		ns := &list.Items[i]
		if ns.DeletionTimestamp == nil {
			continue
		}
		for _, kind := range tenantKinds {
			u := &unstructured.Unstructured{}
			u.SetGroupVersionKind(kind)
			problems = append(problems, suite.emptier.DeleteAllOf(ctx, u, client.InNamespace(ns.Name)))
		}
		ns.Spec.Finalizers = nil
		problems = append(problems, suite.emptier.SubResource("finalize").Update(ctx, ns))
	}
	return errors.Join(problems...)
}

// externalDatabases plays external PostgreSQL servers.
var externalDatabases = &fakeServers{}

type fakeServers struct {
	mu     sync.Mutex
	owners map[string]database.Owner
	// passwords are those of Vault, by tenant.
	passwords map[string]string
	broken    error
}

func (f *fakeServers) ensure(_ context.Context, _ database.Server, owner database.Owner) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	if f.owners == nil {
		f.owners = map[string]database.Owner{}
	}
	f.owners[owner.Name] = owner
	return nil
}

func (f *fakeServers) setVaultPassword(_ context.Context, _ database.Server, tenant, password string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	if f.passwords == nil {
		f.passwords = map[string]string{}
	}
	f.passwords[tenant] = password
	return nil
}

func (f *fakeServers) setBroken(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
}

func (f *fakeServers) owner(name string) (database.Owner, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, ok := f.owners[name]
	return o, ok
}
