package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/database"
)

// EnsureDatabase makes a module's database on an external server; database.Ensure does it.
type EnsureDatabase func(ctx context.Context, server database.Server, owner database.Owner) error

// verified remembers which external databases were found in order, so that they are not
// asked at every look. It is only a memory: a restarted operator asks again.
type verified struct {
	mu   sync.Mutex
	when map[string]verification
}

type verification struct {
	fingerprint string // of the address in the spec
	at          time.Time
}

func (v *verified) fresh(key, fingerprint string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	found, ok := v.when[key]
	return ok && found.fingerprint == fingerprint && time.Since(found.at) < resyncAfter
}

func (v *verified) remember(key, fingerprint string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.when == nil {
		v.when = map[string]verification{}
	}
	v.when[key] = verification{fingerprint, time.Now()}
}

func (v *verified) forget(tenant string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for key := range v.when {
		if len(key) > len(tenant) && key[:len(tenant)+1] == tenant+"/" {
			delete(v.when, key)
		}
	}
}

// readExternal tells which external databases are known to be in order and which must be
// asked again. One that was in order stays usable while it is asked again.
func (r *JusticeTenantReconciler) readExternal(s *tenantSnapshot) {
	for _, module := range s.needDatabase {
		if r.verified.fresh(s.tenant.Name+"/"+module, addressOf(s.tenant)) {
			s.databases = append(s.databases, module)
			continue
		}
		s.unverified = append(s.unverified, module)
	}
}

// ensureExternal makes or checks one module's database on the external server.
func (r *JusticeTenantReconciler) ensureExternal(ctx context.Context, t *v1alpha1.JusticeTenant, module string) error {
	external := t.Spec.Database.External
	namespace := external.AdminSecretRef.Namespace
	if namespace != "" && namespace != r.OperatorNamespace {
		return stalled("AdminSecretForeign", fmt.Sprintf("database.external.adminSecretRef must name a Secret in namespace %s: move the Secret there", r.OperatorNamespace))
	}
	admin, err := r.liveSecret(ctx, r.OperatorNamespace, external.AdminSecretRef.Name)
	if err != nil {
		return err
	}
	if admin == nil {
		return stalled("AdminSecretMissing", fmt.Sprintf("Secret %s with username and password does not exist in namespace %s: create it", external.AdminSecretRef.Name, r.OperatorNamespace))
	}
	connection, err := r.liveSecret(ctx, v1alpha1.NamespaceFor(t.Name), database.SecretFor(module))
	if err != nil {
		return err
	}
	if connection == nil {
		return fmt.Errorf("the connection Secret of %s is gone", module)
	}
	server := database.Server{
		Host: external.Host, Port: external.Port, SSLMode: external.SSLMode,
		AdminUsername: string(admin.Data["username"]), AdminPassword: string(admin.Data["password"]),
	}
	owner := database.Owner{
		Tenant: t.Name, Module: module,
		Name: database.NameFor(t.Name, module), Password: string(connection.Data["password"]),
	}
	if err := r.EnsureDatabase(ctx, server, owner); err != nil {
		return retried("ExternalDatabaseUnavailable", fmt.Sprintf("the database of %s on %s cannot be prepared: %v", module, external.Host, err))
	}
	r.verified.remember(t.Name+"/"+module, addressOf(t))
	return nil
}

// addressOf changes when the tenant points at another server or Secret.
func addressOf(t *v1alpha1.JusticeTenant) string {
	e := t.Spec.Database.External
	sum := sha256.Sum256(fmt.Appendf(nil, "%s:%d/%s/%s", e.Host, e.Port, e.SSLMode, e.AdminSecretRef.Name))
	return hex.EncodeToString(sum[:8])
}
