// Package apply is the one room through which the operator writes Kubernetes objects. It
// uses server-side apply, and only when the live object does not already hold what is
// wanted, so that a steady state makes no write at all.
package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/api/v1alpha1"
)

// Object is a wanted object in the form that Diff and Apply work on.
type Object struct {
	*unstructured.Unstructured
}

// String names the object for people: kind and name.
func (o Object) String() string { return o.GetKind() + " " + o.GetName() }

// From converts a typed apply configuration, and marks it with a hash of its content. The
// hash makes a field that is no longer wanted show up as a difference; the comparison with
// the live object alone would not see it.
func From(config runtime.ApplyConfiguration) (Object, error) {
	raw, err := json.Marshal(config)
	if err != nil {
		return Object{}, fmt.Errorf("encoding an apply configuration: %w", err)
	}
	content := map[string]any{}
	if err := json.Unmarshal(raw, &content); err != nil {
		return Object{}, fmt.Errorf("decoding an apply configuration: %w", err)
	}
	return FromContent(content), nil
}

// FromContent does the same as From for kinds that have no Go type here.
func FromContent(content map[string]any) Object {
	u := &unstructured.Unstructured{Object: content}
	raw, err := json.Marshal(content)
	if err != nil {
		panic(fmt.Sprintf("apply: content of %s %s is not JSON: %v", u.GetKind(), u.GetName(), err))
	}
	sum := sha256.Sum256(raw)
	annotations := u.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.AnnotationAppliedHash] = hex.EncodeToString(sum[:16])
	u.SetAnnotations(annotations)
	return Object{u}
}

// Live reads the object as it is now, or nil when it does not exist.
func Live(ctx context.Context, reader client.Reader, want Object) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(want.GroupVersionKind())
	err := reader.Get(ctx, client.ObjectKeyFromObject(want), live)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", want, err)
	}
	return live, nil
}

// Diff names the first field of want that live lacks, or "" when nothing needs writing. A
// live object of nil lacks everything.
func Diff(want Object, live *unstructured.Unstructured) string {
	if live == nil {
		return "."
	}
	if want.GetKind() == "NetworkPolicy" {
		// Whatever someone added here opens a way: what is not wanted counts, too.
		for _, direction := range []string{"ingress", "egress"} {
			wanted, _, _ := unstructured.NestedSlice(want.Object, "spec", direction)
			found, _, _ := unstructured.NestedSlice(live.Object, "spec", direction)
			if len(wanted) != len(found) {
				return ".spec." + direction
			}
		}
	}
	return Subset(want.Object, live.Object)
}

// Pending returns those of the wanted objects that need writing.
func Pending(ctx context.Context, reader client.Reader, wanted []Object) ([]Object, error) {
	var pending []Object
	for _, want := range wanted {
		live, err := Live(ctx, reader, want)
		if err != nil {
			return nil, err
		}
		if Diff(want, live) != "" {
			pending = append(pending, want)
		}
	}
	return pending, nil
}

// Apply writes the object by server-side apply in the operator's name. It takes over
// fields that someone else changed.
func Apply(ctx context.Context, writer client.Writer, want Object) error {
	err := writer.Apply(ctx, client.ApplyConfigurationFromUnstructured(want.DeepCopy()),
		client.FieldOwner(v1alpha1.FieldOwner), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("applying %s: %w", want, err)
	}
	return nil
}
