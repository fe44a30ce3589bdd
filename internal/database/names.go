// Package database gives every module of a tenant its own PostgreSQL database and owner
// role: on a CloudNativePG cluster in the tenant's namespace, or on an external server.
//
// Steps, each repeatable: a Secret with a random password for every module; then either the
// Cluster with its managed roles and a Database object once the role exists, or role and
// database over SQL. Nothing here ever drops a database.
package database

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const maxIdentifier = 63 // bytes; PostgreSQL cuts longer names silently

// NameFor returns the name of a module's database and of its owner role: the tenant's and
// the module's name joined by an underscore. A name too long for PostgreSQL ends in a hash
// of the whole. Tenant a-b with module c and tenant a with module b-c get the same name;
// on a server that both use, Ensure refuses the second (see mark).
func NameFor(tenant, module string) string {
	name := strings.ReplaceAll(tenant+"_"+module, "-", "_")
	if len(name) <= maxIdentifier {
		return name
	}
	sum := sha256.Sum256([]byte(tenant + "/" + module))
	return name[:maxIdentifier-9] + "_" + hex.EncodeToString(sum[:4])
}

// SecretFor returns the name of the Secret with a module's connection.
func SecretFor(module string) string { return module + "-database" }

// moduleOfSecret is the reverse of SecretFor; "" for any other Secret.
func moduleOfSecret(secret string) string {
	module, ok := strings.CutSuffix(secret, "-database")
	if !ok {
		return ""
	}
	return module
}
