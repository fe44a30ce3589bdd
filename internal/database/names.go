// Package database gives every module of a tenant its own PostgreSQL database and owner
// role: on a CloudNativePG cluster in the tenant's namespace, or on an external server.
//
// Steps, each repeatable: either the Cluster with its managed roles and a Database object once
// the role exists, or role and database over SQL. No role here has a password, but Vault's on
// an external server, which Vault alone knows. Nothing here ever drops a database.
package database

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"ejustice.dev/operator/api/v1alpha1"
)

const maxIdentifier = 63 // bytes; PostgreSQL cuts longer names silently

// NameFor returns the name of a module's database and of its owner role: the tenant's and
// the module's name joined by an underscore. A name too long for PostgreSQL ends in a hash
// of the whole. Tenant a-b with module c and tenant a with module b-c get the same name;
// on a server that both use, Ensure refuses the second (see mark).
func NameFor(tenant, module string) string {
	return shorten(strings.ReplaceAll(tenant+"_"+module, "-", "_"), tenant+"/"+module)
}

// RuntimeFor returns the role that a running module works in: it may do with the rows what the
// module's migrations granted, and owns nothing. No other role's name holds a dot.
func RuntimeFor(tenant, module string) string {
	return shorten(strings.ReplaceAll(tenant+"_"+module, "-", "_")+".app", tenant+"/"+module+".app")
}

// RolesFor returns a module's roles: the one that owns its database and the one it works in.
func RolesFor(tenant, module string) []string {
	return []string{NameFor(tenant, module), RuntimeFor(tenant, module)}
}

// shorten makes of a name that is too long for PostgreSQL one that ends in a hash of whole.
func shorten(name, whole string) string {
	if len(name) <= maxIdentifier {
		return name
	}
	sum := sha256.Sum256([]byte(whole))
	return name[:maxIdentifier-9] + "_" + hex.EncodeToString(sum[:4])
}

// objectFor is the name of a module's Database object.
func objectFor(module string) string { return module + "-database" }

// The certificates of the embedded database. Each lies in a Secret of its name and -tls.
const (
	ServerCertificate  = "database"
	ReplicaCertificate = "database-replica"
)

// secretFor is where cert-manager puts a certificate.
func secretFor(certificate string) string { return certificate + "-tls" }

// Hosts are the names by which the embedded database is reached: CloudNativePG's short ones,
// and the long ones that clients of other namespaces use.
func Hosts(t *v1alpha1.JusticeTenant) []string {
	var hosts []string
	for _, service := range []string{ClusterName + "-rw", ClusterName + "-r", ClusterName + "-ro"} {
		full := service + "." + v1alpha1.NamespaceFor(t.Name)
		hosts = append(hosts, service, full, full+".svc", full+".svc.cluster.local")
	}
	return hosts
}

// Endpoint is where a module finds its database: host, port, and how the connection is
// protected, as in libpq.
func Endpoint(t *v1alpha1.JusticeTenant) (host string, port int32, sslMode string) {
	if e := t.Spec.Database.External; e != nil {
		return e.Host, externalPort(e), externalSSLMode(e)
	}
	return ClusterName + "-rw." + v1alpha1.NamespaceFor(t.Name) + ".svc", 5432, "verify-full"
}

func externalPort(e *v1alpha1.ExternalDatabase) int32 {
	if e.Port == 0 {
		return 5432
	}
	return e.Port
}

func externalSSLMode(e *v1alpha1.ExternalDatabase) string {
	if e.SSLMode == "" {
		return "verify-full"
	}
	return e.SSLMode
}
