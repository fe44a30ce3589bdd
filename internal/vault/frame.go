package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Names that the frame shares with what stands on it.
const (
	// CertificatesAccount is the ServiceAccount in whose name cert-manager has certificates
	// signed.
	CertificatesAccount = "certificates"
	// Audience is what ServiceAccount tokens for Vault are made for.
	Audience = "vault"
	// MigrationAudience is that of the tokens by which a module's schema is brought up to
	// date. Only the container that does it, and then ends, is given one.
	MigrationAudience = "vault-migrate"
	// DatabaseUser is Vault's own role in a tenant's PostgreSQL, by which it makes others.
	DatabaseUser = "vault"
	// ReplicationUser is CloudNativePG's role for replicas.
	ReplicationUser = "streaming_replica"
	// NobodysName is in the certificate that CloudNativePG insists on when there is no
	// replica: no role goes by it.
	NobodysName = "no-replica"

	// RoleModules and RoleDatabase are the roles of a tenant's authority that cert-manager
	// may use.
	RoleModules  = "modules"
	RoleDatabase = "database"
	roleVault    = "vault"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	// CertificateLife is how long certificates inside a tenant last. They are renewed a day
	// after they were made, so that Vault may be away for two days before one ends.
	CertificateLife = 72 * time.Hour
	// keyRotation is how often a module's key gets a new version.
	keyRotation = 90 * 24 * time.Hour

	tokenLife    = time.Hour
	tokenMaxLife = 24 * time.Hour
)

// Tenant is whom a frame is for.
type Tenant struct {
	// Name of the tenant and its namespace.
	Name, Namespace string
	// Modules that keep data, and so have credentials and a key; sorted.
	Modules []string
	// DatabaseHosts are the names by which the embedded database is reached; empty for an
	// external one.
	DatabaseHosts []string
	// Replicas is whether the embedded database has any.
	Replicas bool
	// Keys are the modules whose key was once made: should it be missing, it is not made
	// anew, because documents were encrypted with the lost one.
	Keys []string
}

// Mount is the prefix of everything that is the tenant's in Vault.
func Mount(tenant string) string { return "tenants/" + tenant }

// RoleFor names the role and the policy of a ServiceAccount of the tenant. Neither name holds a
// dot, so no two tenants share a role.
func RoleFor(tenant, account string) string { return "tenant-" + tenant + "." + account }

// MigrationRoleFor names the role and the policy by which a module's schema is brought up to date.
func MigrationRoleFor(tenant, module string) string { return RoleFor(tenant, Migration(module)) }

// Migration names the database users that own a module's schema for as long as it is brought up
// to date. No module's name holds a dot.
func Migration(module string) string { return module + ".migrate" }

// SigningKey names the key with which a module's trace is signed. No module's name holds a dot.
func SigningKey(module string) string { return module + ".trace" }

// Change is one thing that Vault lacks.
type Change struct {
	// What it is, for people and logs.
	What string
	// Do makes it. It can be repeated.
	Do func(context.Context) error
}

// entry is something that has a path of its own, which is read and written in one form.
type entry struct {
	what, path string
	want       map[string]any
}

// Frame compares the tenant's frame with what Vault has and returns what is to be made, in
// order. Nothing that holds data is ever made anew: see Tenant.Keys.
func (c *Client) Frame(ctx context.Context, t Tenant) ([]Change, error) {
	changes, mounted, err := c.mounts(ctx, t)
	if err != nil {
		return nil, err
	}
	authority, err := c.authority(ctx, t, mounted)
	if err != nil {
		return nil, err
	}
	changes = append(changes, authority...)
	keys, err := c.keys(ctx, t)
	if err != nil {
		return nil, err
	}
	changes = append(changes, keys...)
	entries := certificateRoles(t)
	entries = append(entries, c.access(t, signIn{CertificatesAccount, CertificatesAccount, Audience}, certificatePolicy(t.Name))...)
	for _, module := range t.Modules {
		entries = append(entries, c.access(t, signIn{module, module, Audience}, modulePolicy(t.Name, module))...)
		entries = append(entries, c.access(t, signIn{Migration(module), module, MigrationAudience}, migrationPolicy(t.Name, module))...)
	}
	rest, err := c.pending(ctx, entries)
	return append(changes, rest...), err
}

// pending returns those of the entries that Vault lacks or has otherwise.
func (c *Client) pending(ctx context.Context, entries []entry) ([]Change, error) {
	var changes []Change
	for _, e := range entries {
		have, err := c.read(ctx, e.path)
		if err != nil && !absent(err) {
			return nil, err
		}
		if have != nil && holds(have, e.want) {
			continue
		}
		changes = append(changes, Change{e.what, func(ctx context.Context) error {
			_, err := c.write(ctx, e.path, e.want)
			return err
		}})
	}
	return changes, nil
}

// mounts returns what is to be mounted, and which of the tenant's mounts are there.
func (c *Client) mounts(ctx context.Context, t Tenant) ([]Change, map[string]bool, error) {
	there, err := c.read(ctx, "sys/mounts")
	if err != nil {
		return nil, nil, err
	}
	seconds := fmt.Sprintf("%ds", int(authorityLife.Seconds()))
	engines := []struct {
		name string
		want map[string]any
	}{
		{"kv", map[string]any{"type": "kv", "options": map[string]any{"version": "2"}}},
		{"transit", map[string]any{"type": "transit"}},
		{"pki", map[string]any{"type": "pki", "config": map[string]any{"max_lease_ttl": seconds}}},
		{"database", map[string]any{"type": "database"}},
	}
	var changes []Change
	mounted := map[string]bool{}
	for _, engine := range engines {
		path := Mount(t.Name) + "/" + engine.name
		if there[path+"/"] != nil {
			mounted[engine.name] = true
			continue
		}
		changes = append(changes, Change{"mounting " + path, func(ctx context.Context) error {
			_, err := c.write(ctx, "sys/mounts/"+path, engine.want)
			return err
		}})
	}
	return changes, mounted, nil
}

// authority makes the tenant's certificate authority, whose key never leaves Vault.
func (c *Client) authority(ctx context.Context, t Tenant, mounted map[string]bool) ([]Change, error) {
	if mounted["pki"] {
		issuers, err := c.list(ctx, Mount(t.Name)+"/pki/issuers")
		if err != nil && !absent(err) {
			return nil, err
		}
		if len(issuers) > 0 {
			return nil, nil
		}
	}
	return []Change{{"making the certificate authority", func(ctx context.Context) error {
		_, err := c.write(ctx, Mount(t.Name)+"/pki/root/generate/internal", map[string]any{
			"common_name": t.Name + " e-justice internal authority", "issuer_name": "root",
			"key_type": "ec", "key_bits": 256, "ttl": fmt.Sprintf("%ds", int((authorityLife - time.Hour).Seconds())),
		})
		return err
	}}}, nil
}

// keys makes the keys of each module that never had one. One that is gone is not made anew if
// documents were encrypted with it. The other, with which the trace of who did what is signed, is:
// what the lost one signed is then found to be unproven, which is the truth.
func (c *Client) keys(ctx context.Context, t Tenant) ([]Change, error) {
	var changes []Change
	for _, module := range t.Modules {
		for _, key := range []struct{ name, kind string }{{module, "aes256-gcm96"}, {SigningKey(module), "ed25519"}} {
			path := Mount(t.Name) + "/transit/keys/" + key.name
			have, err := c.read(ctx, path)
			if err != nil && !absent(err) {
				return nil, err
			}
			switch {
			case have != nil:
			case key.name == module && slices.Contains(t.Keys, module):
				return nil, &Error{Reason: "KeyMissing", Person: true, Message: fmt.Sprintf(
					"the key that decrypts the documents of %s is gone from Vault (%s); it is not made anew, because that would not decrypt them: restore Vault from its backup", module, path)}
			default:
				changes = append(changes, Change{"making the key " + key.name, func(ctx context.Context) error {
					_, err := c.write(ctx, path, map[string]any{"type": key.kind, "auto_rotate_period": int(keyRotation.Seconds())})
					return err
				}})
			}
		}
	}
	return changes, nil
}

// certificateRoles say what the authority signs: for modules names below the namespace, for
// the database its own names and the replicas' role, and Vault's own role for nobody but
// the operator, which passes it to Vault's database engine.
func certificateRoles(t Tenant) []entry {
	inside := []string{t.Namespace + ".svc", t.Namespace + ".svc.cluster.local"}
	// By the replicas' name one copies the whole database: it is signed only where there are some.
	databaseNames := append(slices.Clone(t.DatabaseHosts), NobodysName)
	if t.Replicas {
		databaseNames = append(databaseNames, ReplicationUser)
	}
	role := func(name string, life time.Duration, names []string, below, server, client bool) entry {
		return entry{"the certificate role " + name, Mount(t.Name) + "/pki/roles/" + name, map[string]any{
			"allowed_domains": names, "allow_bare_domains": !below, "allow_subdomains": below,
			"allow_glob_domains": false, "allow_any_name": false, "allow_localhost": false, "allow_ip_sans": false,
			"allow_wildcard_certificates": false,
			// A role's name in PostgreSQL may hold an underscore, which no host's name may.
			"enforce_hostnames": below,
			"server_flag":       server, "client_flag": client, "require_cn": false,
			"key_type": "ec", "key_bits": 256, "max_ttl": int(life.Seconds()), "no_store": true,
		}}
	}
	entries := []entry{role(RoleModules, CertificateLife, inside, true, true, true)}
	if len(t.DatabaseHosts) > 0 {
		entries = append(entries,
			role(RoleDatabase, CertificateLife, databaseNames, false, true, true),
			role(roleVault, connectionLife, []string{DatabaseUser}, false, false, true))
	}
	return entries
}

// signIn is how one signs in: the name of the role, the ServiceAccount, and what its token must
// be made for.
type signIn struct{ name, account, audience string }

// access is a policy and the role by which one signs in to have it.
func (c *Client) access(t Tenant, who signIn, policy string) []entry {
	name := RoleFor(t.Name, who.name)
	role := map[string]any{
		"token_policies": []string{name}, "token_ttl": int(tokenLife.Seconds()), "token_max_ttl": int(tokenMaxLife.Seconds()),
		"token_no_default_policy": true,
	}
	switch c.config.Method {
	case "jwt":
		role["role_type"] = "jwt"
		role["user_claim"] = "sub"
		role["bound_subject"] = "system:serviceaccount:" + t.Namespace + ":" + who.account
		role["bound_audiences"] = []string{who.audience}
	default:
		role["bound_service_account_names"] = []string{who.account}
		role["bound_service_account_namespaces"] = []string{t.Namespace}
		role["audience"] = who.audience
	}
	return []entry{
		{"the policy of " + who.name, "sys/policies/acl/" + name, map[string]any{"policy": policy}},
		{"the sign-in role of " + who.name, c.config.AuthPath + "/role/" + name, role},
	}
}

// modulePolicy lets a module have its own credentials and use its own keys. It cannot make,
// rotate or destroy them.
func modulePolicy(tenant, module string) string {
	mount := Mount(tenant)
	return strings.Join([]string{
		allow(mount+"/database/creds/"+module, "read"),
		allow(mount+"/transit/encrypt/"+module, "update"),
		allow(mount+"/transit/decrypt/"+module, "update"),
		allow(mount+"/transit/rewrap/"+module, "update"),
		allow(mount+"/transit/datakey/plaintext/"+module, "update"),
		allow(mount+"/transit/sign/"+SigningKey(module), "update"),
		allow(mount+"/transit/keys/"+SigningKey(module), "read"),
		// What is there can be read and added to, and neither changed nor removed.
		allow(mount+"/kv/data/"+module+"/*", "create", "read"),
		allow("auth/token/renew-self", "update"),
		allow("auth/token/revoke-self", "update"),
		allow("sys/leases/renew", "update"),
	}, "\n")
}

// migrationPolicy lets a module's schema be changed, and nothing be decrypted.
func migrationPolicy(tenant, module string) string {
	return strings.Join([]string{
		allow(Mount(tenant)+"/database/creds/"+Migration(module), "read"),
		allow("auth/token/renew-self", "update"),
		allow("auth/token/revoke-self", "update"),
		allow("sys/leases/renew", "update"),
	}, "\n")
}

func certificatePolicy(tenant string) string {
	mount := Mount(tenant)
	return strings.Join([]string{
		allow(mount+"/pki/sign/"+RoleModules, "update"),
		allow(mount+"/pki/sign/"+RoleDatabase, "update"),
		allow("auth/token/revoke-self", "update"),
	}, "\n")
}

func allow(path string, capabilities ...string) string {
	return fmt.Sprintf(`path %q { capabilities = ["%s"] }`, path, strings.Join(capabilities, `", "`))
}
