package helm

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"ejustice.dev/operator/internal/apply"
)

// InstalledKinds are the kinds a module's chart may contain. The operator's role permits
// exactly these; the API server would refuse the others with a less helpful message.
var InstalledKinds = []string{
	"ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount",
}

// postRender sees every rendered object before Helm stores or writes it: it adds the labels
// by which the operator finds the object again, and refuses what is not the module's own.
type postRender struct {
	namespace string
	labels    map[string]string
}

// Run implements Helm's post-renderer.
func (p postRender) Run(rendered *bytes.Buffer) (*bytes.Buffer, error) {
	objects, err := decode(rendered.String())
	if err != nil {
		return nil, &ChartError{err.Error()}
	}
	out := &bytes.Buffer{}
	for _, object := range objects {
		if !slices.Contains(InstalledKinds, object.GetKind()) {
			return nil, &ChartError{fmt.Sprintf("the chart contains a %s, which the operator does not install: it may only contain %s", object.GetKind(), strings.Join(InstalledKinds, ", "))}
		}
		if ns := object.GetNamespace(); ns != "" && ns != p.namespace {
			return nil, &ChartError{fmt.Sprintf("the chart puts %s %s into namespace %s: it may only use its own", object.GetKind(), object.GetName(), ns)}
		}
		labels := object.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		for k, v := range p.labels {
			labels[k] = v
		}
		object.SetLabels(labels)
		raw, err := yaml.Marshal(object.Object)
		if err != nil {
			return nil, fmt.Errorf("encoding %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		out.WriteString("---\n")
		out.Write(raw)
	}
	return out, nil
}

func decode(manifest string) ([]*unstructured.Unstructured, error) {
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 4096)
	var objects []*unstructured.Unstructured
	for {
		content := map[string]any{}
		err := decoder.Decode(&content)
		if err == io.EOF {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the chart renders something that is not YAML: %w", err)
		}
		if len(content) > 0 {
			objects = append(objects, &unstructured.Unstructured{Object: content})
		}
	}
}

// wanted turns a stored manifest into objects that compare with live ones: each goes through
// its Go type, so that quantities and the like are written as the API server writes them.
func wanted(manifest, namespace string) ([]apply.Object, error) {
	decoded, err := decode(manifest)
	if err != nil {
		return nil, err
	}
	objects := make([]apply.Object, 0, len(decoded))
	for _, object := range decoded {
		normal, err := normalise(object)
		if err != nil {
			return nil, err
		}
		normal.SetNamespace(namespace)
		unstructured.RemoveNestedField(normal.Object, "status")
		objects = append(objects, apply.Object{Unstructured: normal})
	}
	return objects, nil
}

func normalise(object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	typed, err := scheme.Scheme.New(object.GroupVersionKind())
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	kept, _ := onlyAsked(content, object.Object).(map[string]any)
	normal := &unstructured.Unstructured{Object: kept}
	normal.SetGroupVersionKind(object.GroupVersionKind())
	return normal, nil
}

// onlyAsked drops from a what b does not have: Go types add zero values, such as a
// targetPort of 0, that nobody asked for.
func onlyAsked(a, b any) any {
	switch asked := b.(type) {
	case map[string]any:
		have, ok := a.(map[string]any)
		if !ok {
			return a
		}
		out := map[string]any{}
		for key, value := range have {
			if wish, ok := asked[key]; ok {
				out[key] = onlyAsked(value, wish)
			}
		}
		return out
	case []any:
		have, ok := a.([]any)
		if !ok || len(have) != len(asked) {
			return a
		}
		out := make([]any, len(have))
		for i := range have {
			out[i] = onlyAsked(have[i], asked[i])
		}
		return out
	}
	return a
}
