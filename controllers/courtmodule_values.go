package controllers

import (
	"encoding/json"
	"fmt"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/certificates"
	"ejustice.dev/operator/internal/database"
	"ejustice.dev/operator/internal/tenancy"
	"ejustice.dev/operator/internal/vault"
)

// platformKey is the one key of a chart's values that belongs to the operator.
const platformKey = "platform"

// chartValues are the module's own values and, under platform, what the operator tells the
// chart. All of it passes through JSON, so that it compares equal to what Helm has stored.
func chartValues(t *v1alpha1.JusticeTenant, m *v1alpha1.CourtModule, entry *v1alpha1.CatalogModule, podCIDRs []string, access vault.Access) (map[string]any, error) {
	all := map[string]any{}
	for key, value := range m.Spec.Values {
		if key == platformKey {
			return nil, fmt.Errorf("values.%s is filled in by the operator: remove it", platformKey)
		}
		all[key] = value
	}
	images := map[string]string{}
	for _, image := range entry.Images {
		images[string(image.Name)] = image.Ref
	}
	platform := map[string]any{
		"tenant": map[string]any{
			"name":         t.Name,
			"country":      t.Spec.Country,
			"languages":    t.Spec.Languages,
			"timeZone":     t.Spec.TimeZone,
			"domain":       t.Spec.Domain,
			"displayNames": t.Spec.DisplayNames,
		},
		"module":    map[string]any{"name": m.Spec.Module, "version": entry.Version},
		"images":    images,
		"replicas":  max(m.Spec.Replicas, 1),
		"tls":       map[string]any{"secretName": certificates.SecretFor(m.Name)},
		"network":   map[string]any{"podCIDRs": podCIDRs},
		"placement": map[string]any{"jurisdictions": t.Jurisdictions()},
	}
	if resources := resourceValues(m.Spec.Resources); len(resources) > 0 {
		platform["resources"] = resources
	}
	if entry.Database {
		platform["database"] = databaseValues(t, m.Name)
		platform["vault"] = vaultValues(t, m.Name, access)
	}
	if m.Name == v1alpha1.ModuleFrontDoor {
		platform["public"] = map[string]any{"secretName": certificates.SecretFor(certificates.PublicName), "host": t.Spec.Domain}
	}
	if word := t.Status.Rotation; word != "" {
		platform["rotation"] = word
	}
	all[platformKey] = platform

	raw, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("values are not valid JSON: %w", err)
	}
	values := map[string]any{}
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, fmt.Errorf("values are not valid JSON: %w", err)
	}
	return values, nil
}

// databaseValues say where the module's database is, and the port of an external server,
// which the module's network policy must let through. Who may sign in Vault says.
func databaseValues(t *v1alpha1.JusticeTenant, module string) map[string]any {
	host, port, mode := database.Endpoint(t)
	values := map[string]any{"host": host, "port": port, "name": database.NameFor(t.Name, module), "sslMode": mode,
		"runtimeRole": database.RuntimeFor(t.Name, module)}
	if t.Spec.Database.External != nil {
		values["externalPort"] = port
	} else {
		values["tenantCA"] = true
	}
	return values
}

// vaultValues say where and as whom the module signs in to Vault.
func vaultValues(t *v1alpha1.JusticeTenant, module string, access vault.Access) map[string]any {
	values := map[string]any{
		"address": access.Address, "port": access.Port(), "loginPath": access.AuthPath + "/login",
		"role": vault.RoleFor(t.Name, module), "audience": vault.Audience, "mount": vault.Mount(t.Name),
		"migration": map[string]any{
			"role": vault.MigrationRoleFor(t.Name, module), "audience": vault.MigrationAudience, "name": vault.Migration(module),
		},
	}
	if access.Authority != nil {
		values["caConfigMap"] = tenancy.VaultAuthorityName
	}
	return values
}

func resourceValues(r *v1alpha1.Resources) map[string]any {
	out := map[string]any{}
	if r == nil {
		return out
	}
	for key, amounts := range map[string]v1alpha1.Amounts{"requests": r.Requests, "limits": r.Limits} {
		if set := amounts.Map(); len(set) > 0 {
			out[key] = set
		}
	}
	return out
}
