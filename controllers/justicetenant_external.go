package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/database"
)

// ExternalServers works on PostgreSQL servers outside the operator's care; package database
// does it.
type ExternalServers struct {
	// Ensure makes a module's database.
	Ensure func(ctx context.Context, server database.Server, owner database.Owner) error
	// SetVaultPassword lets Vault sign in with a password.
	SetVaultPassword func(ctx context.Context, server database.Server, tenant, password string) error
}

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
func (r *JusticeTenantReconciler) readExternal(ctx context.Context, s *tenantSnapshot) error {
	admin, err := r.liveSecret(ctx, r.OperatorNamespace, s.tenant.Spec.Database.External.AdminSecretRef.Name)
	if err != nil {
		return err
	}
	for _, module := range s.needDatabase {
		// Once the database is there, its administrator's Secret may go: nothing in the
		// cluster then opens it.
		withoutAdmin := admin == nil && slices.Contains(s.tenant.Status.Databases, module)
		if withoutAdmin || r.verified.fresh(s.tenant.Name+"/"+module, addressOf(s.tenant)) {
			s.databases = append(s.databases, module)
			continue
		}
		s.unverified = append(s.unverified, module)
	}
	return nil
}

// ensureExternal makes or checks one module's database on the external server.
func (r *JusticeTenantReconciler) ensureExternal(ctx context.Context, t *v1alpha1.JusticeTenant, module string) error {
	server, err := r.externalServer(ctx, t)
	if err != nil {
		return err
	}
	if err := r.External.Ensure(ctx, server, database.OwnerFor(t.Name, module)); err != nil {
		return retried("ExternalDatabaseUnavailable", fmt.Sprintf("the database of %s on %s cannot be prepared: %v", module, server.Host, err))
	}
	r.verified.remember(t.Name+"/"+module, addressOf(t))
	return nil
}

// externalServer is the external server with its administrator's credentials.
func (r *JusticeTenantReconciler) externalServer(ctx context.Context, t *v1alpha1.JusticeTenant) (database.Server, error) {
	external := t.Spec.Database.External
	namespace := external.AdminSecretRef.Namespace
	if namespace != "" && namespace != r.OperatorNamespace {
		return database.Server{}, stalled("AdminSecretForeign", fmt.Sprintf("database.external.adminSecretRef must name a Secret in namespace %s: move the Secret there", r.OperatorNamespace))
	}
	admin, err := r.liveSecret(ctx, r.OperatorNamespace, external.AdminSecretRef.Name)
	if err != nil {
		return database.Server{}, err
	}
	if admin == nil {
		return database.Server{}, stalled("AdminSecretMissing", fmt.Sprintf("Secret %s with username and password does not exist in namespace %s: create it; it may go again once the tenant is Ready", external.AdminSecretRef.Name, r.OperatorNamespace))
	}
	host, port, mode := database.Endpoint(t)
	return database.Server{
		Host: host, Port: port, SSLMode: mode,
		AdminUsername: string(admin.Data["username"]), AdminPassword: string(admin.Data["password"]),
	}, nil
}

// addressOf changes when the tenant points at another server or Secret.
func addressOf(t *v1alpha1.JusticeTenant) string {
	e := t.Spec.Database.External
	sum := sha256.Sum256(fmt.Appendf(nil, "%s:%d/%s/%s", e.Host, e.Port, e.SSLMode, e.AdminSecretRef.Name))
	return hex.EncodeToString(sum[:8])
}
