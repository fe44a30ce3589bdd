package controllers

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/database"
)

// tenantKinds are the kinds of objects that a tenant's namespace holds.
var tenantKinds = []schema.GroupVersionKind{
	{Version: "v1", Kind: "Secret"}, {Version: "v1", Kind: "ConfigMap"}, {Version: "v1", Kind: "Service"},
	{Version: "v1", Kind: "ServiceAccount"}, {Version: "v1", Kind: "ResourceQuota"}, {Version: "v1", Kind: "LimitRange"},
	{Group: "apps", Version: "v1", Kind: "Deployment"},
	{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
	database.ClusterKind, database.DatabaseKind,
	v1alpha1.GroupVersion.WithKind("CourtModule"),
}
