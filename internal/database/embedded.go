package database

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
	"ejustice.dev/operator/internal/vault"
)

// ClusterName is the name of the CloudNativePG Cluster in every tenant's namespace.
const ClusterName = "database"

const (
	hibernationAnnotation = "cnpg.io/hibernation"
	hibernationCondition  = "cnpg.io/hibernation"

	defaultStorage = "5Gi"
)

// Kinds of CloudNativePG that the operator writes.
var (
	ClusterKind  = schema.GroupVersionKind{Group: "postgresql.cnpg.io", Version: "v1", Kind: "Cluster"}
	DatabaseKind = schema.GroupVersionKind{Group: "postgresql.cnpg.io", Version: "v1", Kind: "Database"}
)

// Embedded describes the CloudNativePG cluster that a tenant wants.
type Embedded struct {
	// The tenant.
	Tenant *v1alpha1.JusticeTenant
	// The modules that need a database, sorted.
	Modules []string
	// The PostgreSQL image.
	Image string
	// True stops the instances and keeps their volumes.
	Hibernated bool
	// Labels for the objects.
	Labels map[string]string
	// The StorageClass of a cluster that is yet to be made.
	StorageClass string
	// The cluster as it is, or nil: what it was bootstrapped with never changes.
	Live *unstructured.Unstructured
}

// Cluster builds the Cluster object.
func (e Embedded) Cluster() apply.Object {
	d := e.Tenant.Spec.Database
	instances := int64(max(d.Instances, 1))
	hibernation := "off"
	if e.Hibernated {
		hibernation = "on"
	}
	spec := map[string]any{
		"instances":             instances,
		"imageName":             e.Image,
		"enableSuperuserAccess": false,
		"enablePDB":             instances > 1, // with one instance it would only block every drain
		// Modules keep connections open: to wait for them to leave would only be a longer outage.
		"smartShutdownTimeout": int64(5),
		"storage":              e.storage(),
		"resources":            resources(d.Resources),
		"affinity": map[string]any{
			"nodeAffinity": map[string]any{
				"requiredDuringSchedulingIgnoredDuringExecution": map[string]any{
					"nodeSelectorTerms": []any{map[string]any{
						"matchExpressions": []any{map[string]any{
							"key":      v1alpha1.LabelJurisdiction,
							"operator": "In",
							"values":   anyList(e.Tenant.Jurisdictions()),
						}},
					}},
				},
			},
		},
		"inheritedMetadata": map[string]any{"labels": anyMap(e.Labels)},
		"bootstrap":         e.bootstrap(),
		"managed":           map[string]any{"roles": e.roles()},
		"certificates": map[string]any{
			// The tenant's authority, without its key, is beside the server's certificate.
			"serverCASecret": secretFor(ServerCertificate), "serverTLSSecret": secretFor(ServerCertificate),
			"clientCASecret": secretFor(ServerCertificate), "replicationTLSSecret": secretFor(ReplicaCertificate),
		},
		"postgresql": map[string]any{"pg_hba": e.hba()},
	}
	return apply.FromContent(map[string]any{
		"apiVersion": ClusterKind.GroupVersion().String(),
		"kind":       ClusterKind.Kind,
		"metadata": map[string]any{
			"name":        ClusterName,
			"namespace":   v1alpha1.NamespaceFor(e.Tenant.Name),
			"labels":      anyMap(e.Labels),
			"annotations": map[string]any{hibernationAnnotation: hibernation},
		},
		"spec": spec,
	})
}

// hba lets in Vault, by its certificate, to make users; and a user that Vault made, by
// password, to the one database of the role that it belongs to. Nobody else, and no password
// that is kept anywhere, opens anything. The replicas' rule is CloudNativePG's own.
func (e Embedded) hba() []any {
	rules := []any{"hostssl postgres " + vault.DatabaseUser + " all cert"}
	for _, module := range e.Modules {
		name := NameFor(e.Tenant.Name, module)
		for _, role := range []string{RuntimeFor(e.Tenant.Name, module), name} {
			rules = append(rules, fmt.Sprintf("hostssl %s +%s all scram-sha-256", name, role))
		}
	}
	return append(rules, "host all all all reject")
}

// bootstrap makes the first module's database the one that initdb creates. CloudNativePG keeps
// a password for its owner in a Secret; the owner cannot sign in, so it opens nothing. What
// a cluster was bootstrapped with never changes.
func (e Embedded) bootstrap() map[string]any {
	name := NameFor(e.Tenant.Name, e.Modules[0])
	if e.Live != nil {
		if first, ok, _ := unstructured.NestedString(e.Live.Object, "spec", "bootstrap", "initdb", "database"); ok {
			name = first
		}
	}
	return map[string]any{"initdb": map[string]any{"database": name, "owner": name}}
}

// storage keeps the class of an existing cluster, because volumes cannot change theirs.
func (e Embedded) storage() map[string]any {
	storage := map[string]any{"size": quantity(e.Tenant.Spec.Database.Storage, defaultStorage)}
	class := e.StorageClass
	if e.Live != nil {
		class, _, _ = unstructured.NestedString(e.Live.Object, "spec", "storage", "storageClass")
	}
	if class != "" {
		storage["storageClass"] = class
	}
	return storage
}

// roles are those of the modules, which nobody signs in as, and Vault's, which makes users that
// belong to one. Vault's is a superuser because PostgreSQL from 16 on lets
// nobody else give membership in roles that another has made.
func (e Embedded) roles() []any {
	roles := []any{map[string]any{
		"name": vault.DatabaseUser, "ensure": "present", "login": true, "superuser": true, "disablePassword": true,
	}}
	for _, module := range e.Modules {
		for _, role := range RolesFor(e.Tenant.Name, module) {
			roles = append(roles, map[string]any{"name": role, "ensure": "present", "login": false, "disablePassword": true})
		}
	}
	return roles
}

// Database builds the Database object of one module. Deleting the object keeps the
// database.
func (e Embedded) Database(module string) apply.Object {
	labels := anyMap(e.Labels)
	labels[v1alpha1.LabelModule] = module
	name := NameFor(e.Tenant.Name, module)
	return apply.FromContent(map[string]any{
		"apiVersion": DatabaseKind.GroupVersion().String(),
		"kind":       DatabaseKind.Kind,
		"metadata": map[string]any{
			"name":      objectFor(module),
			"namespace": v1alpha1.NamespaceFor(e.Tenant.Name),
			"labels":    labels,
		},
		"spec": map[string]any{
			"name":                  name,
			"owner":                 name,
			"ensure":                "present",
			"databaseReclaimPolicy": "retain",
			"cluster":               map[string]any{"name": ClusterName},
		},
	})
}

// ClusterServes reports whether the cluster accepts connections now.
func ClusterServes(cluster *unstructured.Unstructured) bool {
	if cluster == nil || conditionStatus(cluster, hibernationCondition) == "True" {
		return false
	}
	ready, _, _ := unstructured.NestedInt64(cluster.Object, "status", "readyInstances")
	return ready >= 1 && conditionStatus(cluster, "Ready") == "True"
}

// ClusterPhase is what CloudNativePG says it is doing, in its words.
func ClusterPhase(cluster *unstructured.Unstructured) string {
	if cluster == nil {
		return ""
	}
	phase, _, _ := unstructured.NestedString(cluster.Object, "status", "phase")
	return phase
}

// Hibernates reports whether the cluster is told to stop its instances.
func Hibernates(cluster *unstructured.Unstructured) bool {
	return cluster != nil && cluster.GetAnnotations()[hibernationAnnotation] == "on"
}

// RolesExist reports whether CloudNativePG has created the roles.
func RolesExist(cluster *unstructured.Unstructured, roles ...string) bool {
	if cluster == nil {
		return false
	}
	done, _, _ := unstructured.NestedStringSlice(cluster.Object, "status", "managedRolesStatus", "byStatus", "reconciled")
	return !slices.ContainsFunc(roles, func(role string) bool { return !slices.Contains(done, role) })
}

// Applied reports whether CloudNativePG has created the database, and its complaint if not.
func Applied(database *unstructured.Unstructured) (applied bool, message string) {
	if database == nil {
		return false, ""
	}
	applied, _, _ = unstructured.NestedBool(database.Object, "status", "applied")
	message, _, _ = unstructured.NestedString(database.Object, "status", "message")
	return applied, message
}

func conditionStatus(u *unstructured.Unstructured, conditionType string) string {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == conditionType {
			s, _ := m["status"].(string)
			return s
		}
	}
	return ""
}

// resources fills in small requests, so that the tenant's quota can be reckoned.
func resources(r *v1alpha1.Resources) map[string]any {
	requests := map[string]any{"cpu": "50m", "memory": "256Mi"}
	if r == nil {
		return map[string]any{"requests": requests}
	}
	limits := map[string]any{}
	for name, amount := range r.Limits.Map() {
		limits[name] = canonical(amount, amount)
		requests[name] = limits[name] // the default could be above the limit
	}
	for name, amount := range r.Requests.Map() {
		requests[name] = canonical(amount, amount)
	}
	out := map[string]any{"requests": requests}
	if len(limits) > 0 {
		out["limits"] = limits
	}
	return out
}

func quantity(v *intstr.IntOrString, fallback string) string {
	if v == nil {
		return fallback
	}
	return canonical(v.String(), fallback)
}

// canonical writes a quantity the way the API server would, so that it compares equal.
// Admission has checked it; what cannot be read becomes the fallback.
func canonical(amount, fallback string) string {
	q, err := resource.ParseQuantity(amount)
	if err != nil {
		return fallback
	}
	return q.String()
}

func anyList(in []string) []any {
	out := make([]any, 0, len(in))
	for _, s := range in {
		out = append(out, s)
	}
	return out
}

func anyMap(in map[string]string) map[string]any {
	out := make(map[string]any, len(in))
	for k, v := range in {
		out[k] = v
	}
	return out
}

// Describe names a cluster's state for people.
func Describe(cluster *unstructured.Unstructured) string {
	if cluster == nil {
		return "the database cluster is about to be created"
	}
	if phase := ClusterPhase(cluster); phase != "" {
		return fmt.Sprintf("the database cluster is not ready yet (CloudNativePG: %s)", phase)
	}
	return "CloudNativePG has not taken up the database cluster yet: if this lasts, check that the CloudNativePG operator runs"
}
