package tenancy

import (
	"strings"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
	"ejustice.dev/operator/internal/database"
)

// Address is one address of the API server, as pods are led to it.
type Address struct {
	IP   string
	Port int64
}

// CIDR is the address as a network of one.
func (a Address) CIDR() string {
	if strings.Contains(a.IP, ":") {
		return a.IP + "/128"
	}
	return a.IP + "/32"
}

// networkPolicies close the namespace both ways and open what every tenant needs: names, and
// what CloudNativePG needs to run the database. What a module needs its own chart opens.
func networkPolicies(t *v1alpha1.JusticeTenant, apiserver []Address) []apply.Object {
	policies := []apply.Object{
		policy(t, "default-deny", map[string]any{}, nil, nil),
		policy(t, "names", map[string]any{}, nil, []any{rule("to",
			peer("namespaceSelector", equals("kubernetes.io/metadata.name", "kube-system"), "podSelector", equals("k8s-app", "kube-dns")),
			// CoreDNS may listen on a port that needs no privilege.
			port("UDP", 53), port("TCP", 53), port("UDP", 5353), port("TCP", 5353))}),
	}
	if t.Spec.Database.External != nil {
		return policies
	}
	instances := equals("cnpg.io/cluster", database.ClusterName)
	among := []any{port("TCP", 5432), port("TCP", 8000)}
	ingress := []any{
		// CloudNativePG's operator, wherever it is installed, but never a tenant's pod that
		// goes by its name.
		rule("from", peer(
			"namespaceSelector", map[string]any{"matchExpressions": []any{map[string]any{"key": v1alpha1.LabelTenant, "operator": "DoesNotExist"}}},
			"podSelector", equals("app.kubernetes.io/name", "cloudnative-pg")), port("TCP", 8000)),
		rule("from", peer("podSelector", instances), among...),
		// Vault makes and drops the modules' users.
		rule("from", peer("namespaceSelector", equals(v1alpha1.LabelVault, "true")), port("TCP", 5432)),
		rule("from", peer("podSelector", map[string]any{"matchExpressions": []any{map[string]any{"key": v1alpha1.LabelModule, "operator": "Exists"}}}), port("TCP", 5432)),
	}
	egress := []any{rule("to", peer("podSelector", instances), among...)}
	for _, address := range apiserver {
		egress = append(egress, rule("to", peer("ipBlock", map[string]any{"cidr": address.CIDR()}), port("TCP", address.Port)))
	}
	return append(policies, policy(t, "database", instances, ingress, egress))
}

func policy(t *v1alpha1.JusticeTenant, name string, pods map[string]any, ingress, egress []any) apply.Object {
	labels := map[string]any{}
	for key, value := range Labels(t.Name) {
		labels[key] = value
	}
	return apply.FromContent(map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
		"metadata": map[string]any{"name": name, "namespace": v1alpha1.NamespaceFor(t.Name), "labels": labels},
		"spec": map[string]any{
			"podSelector": pods, "policyTypes": []any{"Ingress", "Egress"},
			// Written even when empty: a rule that somebody adds is then taken away.
			"ingress": orEmpty(ingress), "egress": orEmpty(egress),
		},
	})
}

func orEmpty(list []any) []any {
	if list == nil {
		return []any{}
	}
	return list
}

func rule(direction string, peer map[string]any, ports ...any) map[string]any {
	return map[string]any{direction: []any{peer}, "ports": ports}
}

func peer(pairs ...any) map[string]any {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i].(string)] = pairs[i+1]
	}
	return out
}

func port(protocol string, number int64) map[string]any {
	return map[string]any{"protocol": protocol, "port": number}
}

func equals(key, value string) map[string]any {
	return map[string]any{"matchLabels": map[string]any{key: value}}
}
