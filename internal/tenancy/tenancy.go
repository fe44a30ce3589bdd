// Package tenancy builds the frame around a tenant: its namespace with limits and roles, and
// the CourtModules it lists. The functions are pure; someone else writes the objects.
package tenancy

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	rbacac "k8s.io/client-go/applyconfigurations/rbac/v1"

	"ejustice.dev/operator/api/v1alpha1"
	ejac "ejustice.dev/operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
	"ejustice.dev/operator/internal/vault"
)

// Roles are the four things a person can be in a tenant. The ClusterRole of each is
// ejustice-<role>; the operator binds it in the tenant's namespace to the group
// ejustice:<tenant>:<role>, so that a ministry grants it by group membership alone.
var Roles = []string{"tenant-admin", "tenant-operator", "tenant-auditor", "tenant-viewer"}

// Labels are on every object of the tenant.
func Labels(tenant string) map[string]string {
	return map[string]string{
		v1alpha1.LabelTenant:           tenant,
		"app.kubernetes.io/managed-by": v1alpha1.FieldOwner,
		"app.kubernetes.io/part-of":    "ejustice",
	}
}

// OperatorBinding is the name of the RoleBinding that lets the operator work in a tenant's
// namespace. Outside of tenants' namespaces it may not read Secrets or write workloads.
const OperatorBinding = "ejustice-operator"

// Surroundings is what a tenant's frame depends on besides the tenant.
type Surroundings struct {
	// The namespace the operator runs in.
	OperatorNamespace string
	// The classes that the tenant's volume claims may name.
	StorageClasses []string
	// The registries that the tenant's images may come from.
	Registries []string
	// Where the API server answers.
	APIServer []Address
	// The authority of Vault's certificate in PEM form, which modules are told; nil for a
	// public one.
	VaultAuthority []byte
	// The ServiceAccount that cert-manager runs as: namespace and name.
	CertManager [2]string
}

// Frame builds the namespace and what stands in it before anything runs. The namespace comes
// first, then the operator's own rights in it.
func Frame(t *v1alpha1.JusticeTenant, s Surroundings) ([]apply.Object, error) {
	configs := []runtime.ApplyConfiguration{
		namespace(t, s), operatorBinding(t, s.OperatorNamespace), quota(t), limits(t), defaultServiceAccount(t),
	}
	for _, role := range Roles {
		configs = append(configs, roleBinding(t, role))
	}
	configs = append(configs, certificatesAccount(t), certificatesBinding(t, s.CertManager))
	if s.VaultAuthority != nil {
		configs = append(configs, vaultAuthority(t, s.VaultAuthority))
	}
	objects, err := convert(configs)
	if err != nil {
		return nil, err
	}
	return append(objects, networkPolicies(t, s.APIServer)...), nil
}

// namespace makes the API server refuse pods that are not restricted, and tells the admission
// policies where pods and volumes may lie.
func namespace(t *v1alpha1.JusticeTenant, s Surroundings) *coreac.NamespaceApplyConfiguration {
	labels := Labels(t.Name)
	for _, mode := range []string{"enforce", "audit", "warn"} {
		labels["pod-security.kubernetes.io/"+mode] = "restricted"
	}
	return coreac.Namespace(v1alpha1.NamespaceFor(t.Name)).WithLabels(labels).WithAnnotations(map[string]string{
		v1alpha1.AnnotationJurisdictions:  strings.Join(t.Jurisdictions(), ","),
		v1alpha1.AnnotationStorageClasses: strings.Join(s.StorageClasses, ","),
		v1alpha1.AnnotationRegistries:     strings.Join(s.Registries, ","),
	})
}

func quota(t *v1alpha1.JusticeTenant) *coreac.ResourceQuotaApplyConfiguration {
	q := t.Spec.Quota
	hard := corev1.ResourceList{
		corev1.ResourceRequestsCPU:     quantity(q.CPU, "8"),
		corev1.ResourceRequestsMemory:  quantity(q.Memory, "16Gi"),
		corev1.ResourceRequestsStorage: quantity(q.Storage, "200Gi"),
		corev1.ResourcePods:            *resource.NewQuantity(int64(orDefault(q.Pods, 60)), resource.DecimalSI),
	}
	return coreac.ResourceQuota("tenant", v1alpha1.NamespaceFor(t.Name)).
		WithLabels(Labels(t.Name)).
		WithSpec(coreac.ResourceQuotaSpec().WithHard(hard))
}

// limits gives containers that ask for nothing a small request, because the quota refuses
// pods without one. It sets no limit: a default limit below someone's request is invalid.
func limits(t *v1alpha1.JusticeTenant) *coreac.LimitRangeApplyConfiguration {
	return coreac.LimitRange("tenant", v1alpha1.NamespaceFor(t.Name)).
		WithLabels(Labels(t.Name)).
		WithSpec(coreac.LimitRangeSpec().WithLimits(coreac.LimitRangeItem().
			WithType(corev1.LimitTypeContainer).
			WithDefaultRequest(corev1.ResourceList{
				corev1.ResourceCPU:    resource.MustParse("20m"),
				corev1.ResourceMemory: resource.MustParse("64Mi"),
			})))
}

// defaultServiceAccount takes the API token from pods that do not ask for one.
func defaultServiceAccount(t *v1alpha1.JusticeTenant) *coreac.ServiceAccountApplyConfiguration {
	return coreac.ServiceAccount("default", v1alpha1.NamespaceFor(t.Name)).
		WithLabels(Labels(t.Name)).
		WithAutomountServiceAccountToken(false)
}

func operatorBinding(t *v1alpha1.JusticeTenant, operatorNamespace string) *rbacac.RoleBindingApplyConfiguration {
	return rbacac.RoleBinding(OperatorBinding, v1alpha1.NamespaceFor(t.Name)).
		WithLabels(Labels(t.Name)).
		WithRoleRef(rbacac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind("ClusterRole").WithName("ejustice-operator-tenant")).
		WithSubjects(rbacac.Subject().WithKind(rbacv1.ServiceAccountKind).WithNamespace(operatorNamespace).WithName(v1alpha1.FieldOwner))
}

func roleBinding(t *v1alpha1.JusticeTenant, role string) *rbacac.RoleBindingApplyConfiguration {
	return rbacac.RoleBinding(role, v1alpha1.NamespaceFor(t.Name)).
		WithLabels(Labels(t.Name)).
		WithRoleRef(rbacac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind("ClusterRole").WithName("ejustice-" + role)).
		WithSubjects(rbacac.Subject().WithAPIGroup(rbacv1.GroupName).WithKind(rbacv1.GroupKind).
			WithName(fmt.Sprintf("ejustice:%s:%s", t.Name, role)))
}

// certificatesAccount is in whose name cert-manager has Vault sign the tenant's certificates.
func certificatesAccount(t *v1alpha1.JusticeTenant) *coreac.ServiceAccountApplyConfiguration {
	return coreac.ServiceAccount(vault.CertificatesAccount, v1alpha1.NamespaceFor(t.Name)).
		WithLabels(Labels(t.Name)).
		WithAutomountServiceAccountToken(false)
}

// certificatesBinding lets cert-manager act in that name, and in no other of the namespace.
func certificatesBinding(t *v1alpha1.JusticeTenant, certManager [2]string) *rbacac.RoleBindingApplyConfiguration {
	return rbacac.RoleBinding("ejustice-certificates", v1alpha1.NamespaceFor(t.Name)).
		WithLabels(Labels(t.Name)).
		WithRoleRef(rbacac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind("ClusterRole").WithName("ejustice-certificates")).
		WithSubjects(rbacac.Subject().WithKind(rbacv1.ServiceAccountKind).WithNamespace(certManager[0]).WithName(certManager[1]))
}

// VaultAuthorityName is the ConfigMap by which modules know Vault's certificate.
const VaultAuthorityName = "vault-ca"

func vaultAuthority(t *v1alpha1.JusticeTenant, pem []byte) *coreac.ConfigMapApplyConfiguration {
	return coreac.ConfigMap(VaultAuthorityName, v1alpha1.NamespaceFor(t.Name)).
		WithLabels(Labels(t.Name)).
		WithData(map[string]string{"ca.crt": string(pem)})
}

// CourtModules builds the CourtModules that the tenant lists, and that of the front door where
// the release has one.
func CourtModules(t *v1alpha1.JusticeTenant, frontDoor bool) ([]apply.Object, error) {
	var configs []runtime.ApplyConfiguration
	for _, m := range Modules(t, frontDoor) {
		configs = append(configs, courtModule(t, &m))
	}
	return convert(configs)
}

// Modules are those that the tenant lists, and the front door if it is to have one.
func Modules(t *v1alpha1.JusticeTenant, frontDoor bool) []v1alpha1.TenantModule {
	modules := slices.Clone(t.Spec.Modules)
	listed := slices.ContainsFunc(modules, func(m v1alpha1.TenantModule) bool { return m.Name == v1alpha1.ModuleFrontDoor })
	if frontDoor && !listed && len(modules) > 0 {
		modules = append(modules, v1alpha1.TenantModule{Name: v1alpha1.ModuleFrontDoor})
	}
	return modules
}

func courtModule(t *v1alpha1.JusticeTenant, m *v1alpha1.TenantModule) *ejac.CourtModuleApplyConfiguration {
	labels := Labels(t.Name)
	labels[v1alpha1.LabelModule] = string(m.Name)
	labels[v1alpha1.LabelTenantListed] = "true"
	spec := ejac.CourtModuleSpec().WithModule(m.Name)
	if m.Version != "" {
		spec.WithVersion(m.Version)
	}
	if len(m.Values) > 0 {
		spec.WithValues(m.Values)
	}
	if m.Replicas != 0 {
		spec.WithReplicas(m.Replicas)
	}
	if m.Resources != nil {
		spec.WithResources(ejac.Resources().WithRequests(amounts(m.Resources.Requests)).WithLimits(amounts(m.Resources.Limits)))
	}
	return ejac.CourtModule(string(m.Name), v1alpha1.NamespaceFor(t.Name)).WithLabels(labels).WithSpec(spec)
}

func amounts(a v1alpha1.Amounts) *ejac.AmountsApplyConfiguration {
	config := ejac.Amounts()
	if a.CPU != nil {
		config.WithCPU(*a.CPU)
	}
	if a.Memory != nil {
		config.WithMemory(*a.Memory)
	}
	return config
}

func convert(configs []runtime.ApplyConfiguration) ([]apply.Object, error) {
	objects := make([]apply.Object, 0, len(configs))
	for _, config := range configs {
		object, err := apply.From(config)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// quantity parses what admission has checked; anything else becomes the default.
func quantity(v *intstr.IntOrString, fallback string) resource.Quantity {
	if v != nil {
		if q, err := resource.ParseQuantity(v.String()); err == nil {
			return q
		}
	}
	return resource.MustParse(fallback)
}

func orDefault(v, fallback int32) int32 {
	if v == 0 {
		return fallback
	}
	return v
}
