//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"ejustice.dev/operator/api/v1alpha1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestIsolation tries, from inside one tenant and as its administrator, to reach another
// tenant, the operator and the host. Each attempt must fail; beside each kind stands one that
// must succeed, so that a failure is not just a broken attempt.
func TestIsolation(t *testing.T) {
	const a, b, front = "e2e-wall-a", "e2e-wall-b", "e2e-front-door"
	nsA, nsB := v1alpha1.NamespaceFor(a), v1alpha1.NamespaceFor(b)
	for _, name := range []string{a, b} {
		remove(t, name)
		t.Cleanup(func() { remove(t, name) })
		apply(t, sample(t, name))
	}
	for _, name := range []string{a, b} {
		provision(t, sample(t, name))
	}
	door := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: front, Labels: map[string]string{"ejustice.dev/front-door": "true"}}}
	apply(t, door)
	t.Cleanup(func() { _ = cluster.Delete(context.Background(), door) })

	t.Run("the condition says that the walls were tried", func(t *testing.T) {
		await(t, "Isolated is True", 2*time.Minute, func(ctx context.Context) (bool, error) {
			c, err := conditionOf(ctx, a, v1alpha1.ConditionIsolated)
			return err == nil && c.Status == metav1.ConditionTrue && c.Reason == "Enforced", err
		})
	})

	doorB, serviceB, databaseB := v1alpha1.ModuleFrontDoor+"."+nsB+".svc 443", module+"."+nsB+".svc 8443", "database-rw."+nsB+".svc 5432"
	attempts := []string{
		doorB, serviceB, addressOf(t, nsB, client.MatchingLabels{v1alpha1.LabelModule: module}) + " 8443",
		addressOf(t, nsB, client.MatchingLabels{v1alpha1.LabelModule: module}) + " 8081", // metrics
		"vault.vault.svc 8200",
		databaseB, addressOf(t, nsB, client.MatchingLabels{"cnpg.io/cluster": "database"}) + " 5432",
		addressOf(t, nsB, client.MatchingLabels{"cnpg.io/cluster": "database"}) + " 8000",
		addressOf(t, operatorNamespace, client.MatchingLabels{"app.kubernetes.io/name": "ejustice-operator"}) + " 8080",
	}
	t.Run("from outside the front door is reached, modules and databases are not", func(t *testing.T) {
		got := try(t, front, nil, []string{doorB, serviceB, databaseB})
		if !got[doorB] || got[serviceB] || got[databaseB] {
			t.Errorf("reached: %v", got)
		}
	})
	t.Run("from a pod of a tenant nothing is reached", func(t *testing.T) {
		all := append([]string{"kubernetes.default.svc 443", module + "." + nsA + ".svc 8443", "database-rw." + nsA + ".svc 5432"}, attempts...)
		for attempt, reached := range try(t, nsA, nil, all) {
			if reached {
				t.Errorf("%s is reached", attempt)
			}
		}
	})
	t.Run("from one that goes by the database's name its own database is reached, and no other tenant", func(t *testing.T) {
		own := "database-rw." + nsA + ".svc 5432"
		for attempt, reached := range try(t, nsA, map[string]string{"cnpg.io/cluster": "database"}, append([]string{own}, attempts...)) {
			if reached != (attempt == own) {
				t.Errorf("%s reached: %t", attempt, reached)
			}
		}
	})
	t.Run("from one that goes by CloudNativePG's name the other's database is not reached", func(t *testing.T) {
		for attempt, reached := range try(t, nsA, map[string]string{"app.kubernetes.io/name": "cloudnative-pg", "cnpg.io/cluster": "database"}, attempts) {
			if reached {
				t.Errorf("%s is reached", attempt)
			}
		}
	})

	t.Run("tokens of a tenant's accounts open nothing of another", func(t *testing.T) {
		for _, account := range []string{"default", module, "database"} {
			holder := withToken(t, nsA, account)
			for _, list := range []client.ObjectList{&corev1.SecretList{}, &corev1.ConfigMapList{}, &corev1.PodList{}, &corev1.PersistentVolumeClaimList{}, &v1alpha1.CourtModuleList{}} {
				if err := holder.List(t.Context(), list, client.InNamespace(nsB)); !apierrors.IsForbidden(err) {
					t.Errorf("account %s lists %T of the other tenant: %v", account, list, err)
				}
			}
		}
	})

	t.Run("the tenant's own administrator is refused", func(t *testing.T) { adminAttempts(t, a, nsA, nsB) })
}

// adminAttempts are what a tenant's administrator tries beyond the own rights.
func adminAttempts(t *testing.T, a, nsA, nsB string) {
	admin := impersonate(t, "ejustice:"+a+":tenant-admin")
	if err := admin.List(t.Context(), &v1alpha1.CourtModuleList{}, client.InNamespace(nsA)); err != nil {
		t.Fatalf("the administrator cannot even see the own modules: %v", err)
	}
	meta := metav1.ObjectMeta{Namespace: nsA, Name: "attempt"}
	pod := func(edit func(*corev1.PodSpec)) client.Object {
		p := &corev1.Pod{ObjectMeta: meta, Spec: restricted(moduleImage(t, nsA))}
		edit(&p.Spec)
		return p
	}
	create := func(object client.Object) func() error {
		return func() error { return admin.Create(t.Context(), object, client.DryRunAll) }
	}
	patch := func(object client.Object, raw string) func() error {
		return func() error {
			return admin.Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", []byte(raw)), client.DryRunAll)
		}
	}
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: nsA, Name: name} }
	attempts := map[string]func() error{
		"raise the quota": patch(&corev1.ResourceQuota{ObjectMeta: named("tenant")}, `{"spec":{"hard":{"pods":"1000"}}}`),
		"remove the quota": func() error {
			return admin.Delete(t.Context(), &corev1.ResourceQuota{ObjectMeta: named("tenant")}, client.DryRunAll)
		},
		"remove a network policy": func() error {
			return admin.Delete(t.Context(), &networkingv1.NetworkPolicy{ObjectMeta: named("default-deny")}, client.DryRunAll)
		},
		"open a way": create(&networkingv1.NetworkPolicy{ObjectMeta: meta, Spec: networkingv1.NetworkPolicySpec{Egress: []networkingv1.NetworkPolicyEgressRule{{}}}}),
		"a folder of the host": create(pod(func(p *corev1.PodSpec) {
			p.Volumes = []corev1.Volume{{Name: "root", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
		})),
		"a privileged pod": create(pod(func(p *corev1.PodSpec) {
			p.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true)}
		})),
		"the host's network":      create(pod(func(p *corev1.PodSpec) { p.HostNetwork = true })),
		"a pod on a chosen node":  create(pod(func(p *corev1.PodSpec) { p.NodeName = "node2" })),
		"a foreign image":         create(pod(func(p *corev1.PodSpec) { p.Containers[0].Image = "docker.io/library/busybox:latest" })),
		"a port on the nodes":     create(&corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{{Port: 80}}}}),
		"another jurisdiction":    patch(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: nsA}}, `{"metadata":{"annotations":{"ejustice.dev/jurisdictions":"CI"}}}`),
		"privileged pods allowed": patch(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: nsA}}, `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`),
		"the report":              patch(&corev1.ConfigMap{ObjectMeta: named("residency-report")}, `{"data":{"report.txt":"all is well"}}`),
		"own Secrets":             func() error { return admin.List(t.Context(), &corev1.SecretList{}, client.InNamespace(nsA)) },
		"another's Secrets":       func() error { return admin.List(t.Context(), &corev1.SecretList{}, client.InNamespace(nsB)) },
		"another's volumes": func() error {
			return admin.List(t.Context(), &corev1.PersistentVolumeClaimList{}, client.InNamespace(nsB))
		},
		"another's modules": func() error { return admin.List(t.Context(), &v1alpha1.CourtModuleList{}, client.InNamespace(nsB)) },
		"all tenants":       func() error { return admin.List(t.Context(), &v1alpha1.JusticeTenantList{}) },
		"the operator's own Secret": func() error {
			return admin.List(t.Context(), &corev1.SecretList{}, client.InNamespace(operatorNamespace))
		},
	}
	for name, attempt := range attempts {
		t.Run(name, func(t *testing.T) {
			if err := attempt(); !apierrors.IsForbidden(err) {
				t.Errorf("err = %v, want it refused", err)
			}
		})
	}
}

// try runs a pod in the namespace that connects to each "host port", and says which it reached.
func try(t *testing.T, namespace string, labels map[string]string, addresses []string) map[string]bool {
	t.Helper()
	// A policy takes a moment to reach a new pod; what is reached only before counts for nothing.
	script := []string{"sleep 5"}
	for _, address := range addresses {
		script = append(script, fmt.Sprintf(`set -- %s; if timeout 4 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null; then echo "reached %[1]s"; else echo "missed %[1]s"; fi`, address))
	}
	spec := restricted(postgresImage(t))
	spec.RestartPolicy = corev1.RestartPolicyNever
	spec.SecurityContext.RunAsUser = ptr.To[int64](26)
	spec.Containers[0].Command = []string{"bash", "-c", strings.Join(script, "\n")}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "try-", Labels: labels}, Spec: spec}
	if err := cluster.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cluster.Delete(context.Background(), pod) }()
	await(t, "the attempts are made", 3*time.Minute, func(ctx context.Context) (bool, error) {
		return pod.Status.Phase == corev1.PodSucceeded, cluster.Get(ctx, client.ObjectKeyFromObject(pod), pod)
	})
	clientset, err := kubernetes.NewForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	log, err := clientset.CoreV1().Pods(namespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reached := map[string]bool{}
	for line := range strings.Lines(string(log)) {
		if verdict, address, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			reached[address] = verdict == "reached"
		}
	}
	if len(reached) != len(addresses) {
		t.Fatalf("%d attempts, %d answers:\n%s", len(addresses), len(reached), log)
	}
	return reached
}

// addressOf is the address of a pod with the labels.
func addressOf(t *testing.T, namespace string, labels client.MatchingLabels) string {
	t.Helper()
	var pods corev1.PodList
	if err := cluster.List(t.Context(), &pods, client.InNamespace(namespace), labels); err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods.Items {
		if pod.Status.Phase == corev1.PodRunning && pod.Status.PodIP != "" {
			return pod.Status.PodIP
		}
	}
	t.Fatalf("no pod with %v runs in %s", labels, namespace)
	return ""
}

func clientFor(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(config, client.Options{Scheme: scheme, Mapper: cluster.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// impersonate is a client of somebody in the group.
func impersonate(t *testing.T, group string) client.Client {
	config := rest.CopyConfig(cluster.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "someone", Groups: []string{group, "system:authenticated"}}
	return clientFor(t, config)
}

// withToken is a client that holds a token of the account.
func withToken(t *testing.T, namespace, account string) client.Client {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	token, err := clientset.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(cluster.Config)
	config.BearerToken = token.Status.Token
	return clientFor(t, config)
}
