package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/internal/apply"
	"ejustice.dev/operator/internal/catalog"
	"ejustice.dev/operator/internal/database"
	"ejustice.dev/operator/internal/residency"
	"ejustice.dev/operator/internal/status"
	"ejustice.dev/operator/internal/tenancy"
)

// namespaceState is what stands under the tenant's namespace name.
type namespaceState int

const (
	namespaceAbsent namespaceState = iota
	namespaceOurs
	namespaceForeign
	namespaceTerminating
)

// tenantSnapshot is what one reconciliation of a tenant goes by. It is read live, never
// from a cache, so that nothing is created twice or deleted by mistake.
type tenantSnapshot struct {
	tenant    *v1alpha1.JusticeTenant
	namespace namespaceState

	// releaseProblem is set when the release or a listed module is not in the catalogs.
	releaseProblem *catalog.Problem
	// registries are those of the images in the catalogs.
	registries []string
	// versions is the version each listed module should run.
	versions map[string]string

	// Wanted objects that are missing or differ, by layer.
	frame   []apply.Object
	cluster *apply.Object
	dbs     []apply.Object
	listed  []apply.Object

	// secrets is how the tenant's secrets and certificates stand.
	secrets secretsState

	// route is how the tenant's domain is led to its front door.
	route routeState

	// frontDoor is whether the release has a front door for the tenant.
	frontDoor bool
	// withData are the modules of the catalogs that keep data.
	withData map[string]bool

	// surplus are CourtModules that the tenant created and no longer lists.
	surplus []string
	// modules are all CourtModules of the namespace.
	modules []v1alpha1.CourtModule
	// needDatabase are the modules that have or shall have a database, sorted.
	needDatabase []string

	// liveCluster is the embedded database cluster, or nil.
	liveCluster *unstructured.Unstructured
	// databases are the modules whose database can be used, sorted.
	databases []string
	// databaseTrouble is why a database is not ready, when something is known.
	databaseTrouble *status.Verdict
	// unverified are modules whose external database has not been checked lately.
	unverified []string

	// podsLeft is whether programs still run in the namespace; read when it is to be deleted.
	podsLeft bool

	// classes are the StorageClasses and where their volumes lie.
	classes residency.Classes
	// surroundings are what the tenant's frame depends on besides the tenant.
	surroundings tenancy.Surroundings
	// isolation is whether the cluster's network enforces policies; nil while nobody knows.
	isolation *status.Verdict
	// inventory is where everything lies; nil before the operator may look.
	inventory *residency.Inventory
	// proof is the residency report when it needs writing.
	proof []apply.Object

	// hibernation is the cluster object that stops the database.
	hibernation *apply.Object
}

// snapshot reads the world of one tenant.
func (r *JusticeTenantReconciler) snapshot(ctx context.Context, t *v1alpha1.JusticeTenant) (*tenantSnapshot, error) {
	s := &tenantSnapshot{tenant: t, isolation: r.Isolation.Answer()}
	if err := r.readNamespace(ctx, s); err != nil {
		return nil, err
	}
	if err := r.readCatalogs(ctx, s); err != nil {
		return nil, err
	}
	if err := r.readSurroundings(ctx, s); err != nil {
		return nil, err
	}
	if s.namespace != namespaceOurs {
		frame, err := tenancy.Frame(t, s.surroundings)
		if err != nil {
			return nil, err
		}
		s.frame = frame
		return s, nil
	}
	if err := r.readFrame(ctx, s); err != nil {
		return nil, err
	}
	if !mayWork(s) {
		return s, nil
	}
	read := []func(context.Context, *tenantSnapshot) error{
		r.readModules, r.readNeeds, r.readVault, r.readCertificates, r.readDatabase, r.readCredentials, r.readUsable, r.readInventory, r.readRoute,
	}
	if t.Stopping() && t.Spec.DeletionPolicy == v1alpha1.DeletionDelete {
		read = append(read, r.readPodsLeft)
	}
	for _, f := range read {
		if err := f(ctx, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (r *JusticeTenantReconciler) readNamespace(ctx context.Context, s *tenantSnapshot) error {
	ns := &corev1.Namespace{}
	err := r.Live.Get(ctx, client.ObjectKey{Name: v1alpha1.NamespaceFor(s.tenant.Name)}, ns)
	switch {
	case apierrors.IsNotFound(err):
		s.namespace = namespaceAbsent
	case err != nil:
		return fmt.Errorf("reading the tenant's namespace: %w", err)
	case ns.Labels[v1alpha1.LabelTenant] != s.tenant.Name:
		s.namespace = namespaceForeign
	case ns.DeletionTimestamp != nil:
		s.namespace = namespaceTerminating
	default:
		s.namespace = namespaceOurs
	}
	return nil
}

func (r *JusticeTenantReconciler) readCatalogs(ctx context.Context, s *tenantSnapshot) error {
	catalogs := &v1alpha1.ModuleCatalogList{}
	if err := r.Live.List(ctx, catalogs); err != nil {
		return fmt.Errorf("listing the module catalogs: %w", err)
	}
	s.registries = catalog.Registries(catalogs.Items)
	release := string(s.tenant.Spec.Release)
	if _, err := catalog.Release(catalogs.Items, release); err != nil {
		errors.As(err, &s.releaseProblem)
		return nil
	}
	s.withData = map[string]bool{}
	for i := range catalogs.Items {
		for _, entry := range catalogs.Items[i].Spec.Modules {
			s.withData[string(entry.Name)] = s.withData[string(entry.Name)] || entry.Database
		}
	}
	if door, err := catalog.Resolve(catalogs.Items, release, v1alpha1.ModuleFrontDoor, ""); err == nil {
		s.frontDoor = door != nil
	}
	s.versions = map[string]string{}
	for _, m := range tenancy.Modules(s.tenant, s.frontDoor) {
		entry, err := catalog.Resolve(catalogs.Items, release, string(m.Name), string(m.Version))
		if err != nil {
			errors.As(err, &s.releaseProblem)
			return nil
		}
		s.versions[string(m.Name)] = string(entry.Version)
	}
	return nil
}

func (r *JusticeTenantReconciler) readFrame(ctx context.Context, s *tenantSnapshot) error {
	wanted, err := tenancy.Frame(s.tenant, s.surroundings)
	if err != nil {
		return err
	}
	s.frame, err = apply.Pending(ctx, r.Live, wanted)
	return err
}

// mayWork reports whether the operator has its rights in the namespace. Before that it could
// not even read Secrets there.
func mayWork(s *tenantSnapshot) bool {
	return !slices.ContainsFunc(s.frame, func(o apply.Object) bool {
		return o.GetKind() == "RoleBinding" && o.GetName() == tenancy.OperatorBinding
	})
}

func (r *JusticeTenantReconciler) readModules(ctx context.Context, s *tenantSnapshot) error {
	list := &v1alpha1.CourtModuleList{}
	if err := r.Live.List(ctx, list, client.InNamespace(v1alpha1.NamespaceFor(s.tenant.Name))); err != nil {
		return fmt.Errorf("listing the tenant's modules: %w", err)
	}
	s.modules = list.Items
	names := map[string]bool{}
	for _, m := range tenancy.Modules(s.tenant, s.frontDoor) {
		names[string(m.Name)] = true
	}
	for i := range s.modules {
		m := &s.modules[i]
		if m.Labels[v1alpha1.LabelTenantListed] == "true" && !names[m.Name] {
			s.surplus = append(s.surplus, m.Name)
		}
	}
	wanted, err := tenancy.CourtModules(s.tenant, s.frontDoor)
	if err != nil {
		return err
	}
	s.listed, err = apply.Pending(ctx, r.Live, wanted)
	return err
}

// moduleNames are the modules that the tenant lists and those that are installed, sorted.
func (s *tenantSnapshot) moduleNames() []string {
	var names []string
	for _, m := range tenancy.Modules(s.tenant, s.frontDoor) {
		names = append(names, string(m.Name))
	}
	for i := range s.modules {
		names = append(names, s.modules[i].Name)
	}
	return union(names, nil)
}

// readNeeds finds which modules need a database: of those listed and installed the ones that
// keep data, and those that once had one.
func (r *JusticeTenantReconciler) readNeeds(ctx context.Context, s *tenantSnapshot) error {
	s.needDatabase = union(s.tenant.Status.Databases, s.tenant.Status.Keys)
	for _, name := range s.moduleNames() {
		if s.withData[name] {
			s.needDatabase = append(s.needDatabase, name)
		}
	}
	if s.tenant.Spec.Database.External == nil {
		databases := &unstructured.UnstructuredList{}
		databases.SetGroupVersionKind(database.DatabaseKind)
		if err := r.Live.List(ctx, databases, client.InNamespace(v1alpha1.NamespaceFor(s.tenant.Name)), client.HasLabels{v1alpha1.LabelModule}); err != nil {
			return fmt.Errorf("listing the databases: %w", err)
		}
		for i := range databases.Items {
			s.needDatabase = append(s.needDatabase, databases.Items[i].GetLabels()[v1alpha1.LabelModule])
		}
	}
	s.needDatabase = union(s.needDatabase, nil)
	return nil
}

// readUsable keeps of the databases that exist those for which a module can have credentials.
func (r *JusticeTenantReconciler) readUsable(_ context.Context, s *tenantSnapshot) error {
	s.databases = slices.DeleteFunc(s.databases, func(module string) bool { return !s.credentialsReady(module) })
	return nil
}

// liveSecret reads a Secret; nil when it does not exist.
func (r *JusticeTenantReconciler) liveSecret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", name, err)
	}
	return secret, nil
}

func (r *JusticeTenantReconciler) readDatabase(ctx context.Context, s *tenantSnapshot) error {
	if s.tenant.Spec.Database.External != nil {
		return r.readExternal(ctx, s)
	}
	return r.readEmbedded(ctx, s)
}

func (r *JusticeTenantReconciler) readEmbedded(ctx context.Context, s *tenantSnapshot) error {
	live, err := getUnstructured(ctx, r.Live, database.ClusterKind.GroupVersion().String(), database.ClusterKind.Kind,
		v1alpha1.NamespaceFor(s.tenant.Name), database.ClusterName)
	if err != nil {
		return err
	}
	s.liveCluster = live
	if len(s.needDatabase) == 0 {
		return nil
	}
	wanted := database.Embedded{
		Tenant: s.tenant, Modules: s.needDatabase, Image: r.PostgresImage,
		Labels: tenancy.Labels(s.tenant.Name), Live: live,
	}
	if live == nil {
		if wanted.StorageClass, err = s.classes.Choose(s.tenant.StorageClass(), s.tenant.Jurisdictions()); err != nil {
			v := status.No("NoStorageClass", "the database has no place for its volumes: "+err.Error())
			s.databaseTrouble = &v
			return nil
		}
	}
	cluster := wanted.Cluster()
	// CloudNativePG asks for certificates that are not there only now and then.
	if apply.Diff(cluster, live) != "" && (live != nil || s.certificatesUsable(database.ServerCertificate, database.ReplicaCertificate)) {
		s.cluster = &cluster
	}
	if live != nil && !database.Hibernates(live) {
		wanted.Hibernated = true
		hibernation := wanted.Cluster()
		s.hibernation = &hibernation
		wanted.Hibernated = false
	}
	if err := r.readDatabases(ctx, s, wanted); err != nil {
		return err
	}
	if !database.ClusterServes(live) {
		return r.readDatabasePods(ctx, s)
	}
	return nil
}

// readDatabases looks at the Database object of every module. It is wanted once its roles
// exist, because CloudNativePG retries a database without its owner only much later.
func (r *JusticeTenantReconciler) readDatabases(ctx context.Context, s *tenantSnapshot, wanted database.Embedded) error {
	serves := database.ClusterServes(s.liveCluster)
	for _, module := range s.needDatabase {
		want := wanted.Database(module)
		live, err := apply.Live(ctx, r.Live, want)
		if err != nil {
			return err
		}
		rolesExist := database.RolesExist(s.liveCluster, database.RolesFor(s.tenant.Name, module)...)
		if apply.Diff(want, live) != "" && (live != nil || rolesExist) {
			s.dbs = append(s.dbs, want)
		}
		applied, complaint := database.Applied(live)
		known := slices.Contains(s.tenant.Status.Databases, module)
		switch {
		case applied && (serves || known):
			s.databases = append(s.databases, module)
		case complaint != "" && !applied:
			v := status.No("DatabaseRefused", fmt.Sprintf("CloudNativePG cannot create the database of %s: %s", module, complaint))
			s.databaseTrouble = &v
		}
	}
	return nil
}

// readPodsLeft finds out whether anything still ends. A pod that is done, and one that nobody
// but the namespace's end will remove, are not waited for.
func (r *JusticeTenantReconciler) readPodsLeft(ctx context.Context, s *tenantSnapshot) error {
	pods := &corev1.PodList{}
	if err := r.Live.List(ctx, pods, client.InNamespace(v1alpha1.NamespaceFor(s.tenant.Name))); err != nil {
		return fmt.Errorf("listing the tenant's pods: %w", err)
	}
	s.podsLeft = slices.ContainsFunc(pods.Items, func(pod corev1.Pod) bool {
		done := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		return !done && (pod.DeletionTimestamp != nil || len(pod.OwnerReferences) > 0)
	})
	return nil
}

// readDatabasePods finds out why a database cluster does not come up.
func (r *JusticeTenantReconciler) readDatabasePods(ctx context.Context, s *tenantSnapshot) error {
	pods := &corev1.PodList{}
	if err := r.Live.List(ctx, pods, client.InNamespace(v1alpha1.NamespaceFor(s.tenant.Name)),
		client.MatchingLabels{"cnpg.io/cluster": database.ClusterName}); err != nil {
		return fmt.Errorf("listing the database pods: %w", err)
	}
	reason, message := status.PodTrouble(pods.Items)
	if reason == "" {
		return nil
	}
	if reason == status.ReasonUnschedulable {
		why, err := whyNoNode(ctx, r.Live, s.tenant.Jurisdictions(), status.Shortage(pods.Items))
		if err != nil {
			return err
		}
		message = why
	}
	v := status.No(reason, "the database cannot start: "+message)
	s.databaseTrouble = &v
	return nil
}

func getUnstructured(ctx context.Context, reader client.Reader, apiVersion, kind, namespace, name string) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, u)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", kind, name, err)
	}
	return u, nil
}

// conditionOf returns the condition's reason and whether it is True.
func conditionOf(conditions []metav1.Condition, conditionType string) (isTrue bool, reason, message string) {
	for _, c := range conditions {
		if c.Type == conditionType {
			return c.Status == metav1.ConditionTrue, c.Reason, c.Message
		}
	}
	return false, "", ""
}
