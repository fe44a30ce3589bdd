package controllers

import (
	"encoding/json"
	"fmt"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/database"
)

// platformKey is the one key of a chart's values that belongs to the operator.
const platformKey = "platform"

// chartValues are the module's own values and, under platform, what the operator tells the
// chart. All of it passes through JSON, so that it compares equal to what Helm has stored.
func chartValues(t *v1alpha1.JusticeTenant, m *v1alpha1.CourtModule, entry *v1alpha1.CatalogModule, podCIDRs []string) (map[string]any, error) {
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
		"database":  databaseValues(t, m.Name),
		"network":   map[string]any{"podCIDRs": podCIDRs},
		"placement": map[string]any{"jurisdictions": t.Jurisdictions()},
	}
	if resources := resourceValues(m.Spec.Resources); len(resources) > 0 {
		platform["resources"] = resources
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

// databaseValues say where the connection's Secret is, and the port of an external server,
// which the module's network policy must let through.
func databaseValues(t *v1alpha1.JusticeTenant, module string) map[string]any {
	values := map[string]any{"secretName": database.SecretFor(module)}
	if external := t.Spec.Database.External; external != nil {
		values["externalPort"] = external.Port
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
