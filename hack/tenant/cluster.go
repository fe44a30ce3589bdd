// Package tenant is what the demo, the end-to-end tests and the benchmarks do to
// a running platform: apply a tenant, wait for it, reach its modules, file cases.
package tenant

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"ejustice.dev/operator/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// Owner is the field manager of what a person applies through this package.
const Owner = client.FieldOwner("ejustice-demo")

// Cluster is a cluster that KUBECONFIG points at.
type Cluster struct {
	client.Client
	Config *rest.Config
}

// Connect reaches the cluster that KUBECONFIG names.
func Connect() (*Cluster, error) {
	file := os.Getenv("KUBECONFIG")
	if file == "" {
		return nil, fmt.Errorf(`KUBECONFIG is not set: for the local cluster run eval "$(make -s env)"`)
	}
	config, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		return nil, fmt.Errorf("reading KUBECONFIG: %w", err)
	}
	config.QPS = -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme, appsv1.AddToScheme, networkingv1.AddToScheme, gatewayv1.Install} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return &Cluster{c, config}, nil
}

// Read decodes a manifest file of one object. Unknown fields are an error.
func Read(file string, into any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(b, into); err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	return nil
}

// Apply makes the object in the cluster what it is here, by server-side apply.
func (c *Cluster) Apply(ctx context.Context, object client.Object) error {
	gvk, err := c.GroupVersionKindFor(object)
	if err != nil {
		return err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	unstructured.RemoveNestedField(u.Object, "status")
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(u.Object, "metadata", "managedFields")
	unstructured.RemoveNestedField(u.Object, "metadata", "resourceVersion")
	if err := c.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), Owner, client.ForceOwnership); err != nil {
		return fmt.Errorf("applying %s %s: %w", gvk.Kind, object.GetName(), err)
	}
	return nil
}

// AwaitReady waits until the tenant is Ready as its newest spec says. It calls
// progress, which may be nil, each time what is missing changes.
func (c *Cluster) AwaitReady(ctx context.Context, name string, limit time.Duration, progress func(string)) error {
	last := ""
	err := c.Await(ctx, limit, func(ctx context.Context) (bool, error) {
		var t v1alpha1.JusticeTenant
		if err := c.Get(ctx, client.ObjectKey{Name: name}, &t); err != nil {
			return false, err
		}
		ready := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.ObservedGeneration != t.Generation {
			return false, nil
		}
		if ready.Message != last && progress != nil {
			progress(ready.Message)
		}
		last = ready.Message
		return ready.Status == "True", nil
	})
	if err != nil {
		return fmt.Errorf("tenant %s is not Ready (%s): %w", name, last, err)
	}
	return nil
}

// Await asks four times a second until done; errors are asked again until limit.
func (c *Cluster) Await(ctx context.Context, limit time.Duration, done func(context.Context) (bool, error)) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 250*time.Millisecond, limit, true, func(ctx context.Context) (bool, error) {
		var ok bool
		ok, last = done(ctx)
		return ok && last == nil, nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("after %s: %w", limit, last)
	}
	return err
}

// ReadyPod returns a pod of the module that can answer.
func (c *Cluster) ReadyPod(ctx context.Context, namespace, module string) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{v1alpha1.LabelModule: module}); err != nil {
		return nil, err
	}
	var seen []string
	for i := range pods.Items {
		p := &pods.Items[i]
		seen = append(seen, p.Name+" "+string(p.Status.Phase))
		if p.DeletionTimestamp.IsZero() && podReady(p) {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no pod of %s in %s is ready (%s)", module, namespace, strings.Join(seen, ", "))
}

func podReady(p *corev1.Pod) bool {
	for _, condition := range p.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
