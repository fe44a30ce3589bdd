package helm

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"ejustice.dev/operator/internal/apply"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestPostRender(t *testing.T) {
	render := postRender{namespace: "justice-x", labels: map[string]string{"ejustice.dev/tenant": "x"}}
	tests := []struct{ name, in, want, refused string }{
		{name: "labels are added", in: "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a, labels: {own: yes-it-is}}\n", want: "ejustice.dev/tenant: x"},
		{name: "own labels stay", in: "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a, labels: {own: yes-it-is}}\n", want: "own: yes-it-is"},
		{name: "its own namespace", in: "kind: Service\napiVersion: v1\nmetadata: {name: a, namespace: justice-x}\n", want: "namespace: justice-x"},
		{name: "empty documents", in: "---\n# nothing\n---\n", want: ""},
		{name: "another namespace", in: "kind: Service\napiVersion: v1\nmetadata: {name: a, namespace: kube-system}\n", refused: "namespace kube-system"},
		{name: "a Secret", in: "kind: Secret\napiVersion: v1\nmetadata: {name: a}\n", refused: "contains a Secret"},
		{name: "a ClusterRole", in: "kind: ClusterRole\napiVersion: rbac.authorization.k8s.io/v1\nmetadata: {name: a}\n", refused: "contains a ClusterRole"},
		{name: "not YAML", in: "a: b: c", refused: "not YAML"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			out, err := render.Run(bytes.NewBufferString(tc.in))
			if tc.refused != "" {
				var chartErr *ChartError
				if !errors.As(err, &chartErr) || !strings.Contains(chartErr.Message, tc.refused) {
					t.Errorf("err = %v, want a refusal with %q", err, tc.refused)
				}
				return
			}
			if err != nil || !strings.Contains(out.String(), tc.want) {
				t.Errorf("rendered %q, %v; want %q in it", out, err, tc.want)
			}
		})
	}
}

// A manifest must compare equal to what the API server makes of it, or it would be corrected
// for ever.
func TestWantedComparesWithLive(t *testing.T) {
	manifest := `
apiVersion: v1
kind: Service
metadata: {name: a}
spec:
  ports: [{name: http, port: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, creationTimestamp: null}
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: a
          resources: {requests: {cpu: 0.1, memory: 1024Mi}}
status: {}
`
	objects, err := wanted(manifest, "justice-x")
	if err != nil {
		t.Fatal(err)
	}
	live := []string{
		`{"metadata":{"name":"a","namespace":"justice-x","uid":"1"},"spec":{"clusterIP":"10.0.0.1","ports":[{"name":"http","port":8080,"protocol":"TCP","targetPort":8080}]}}`,
		`{"metadata":{"name":"a","namespace":"justice-x"},"spec":{"replicas":1,"template":{"spec":{"containers":[{"name":"a","image":"i","resources":{"requests":{"cpu":"100m","memory":"1Gi"}}}]}}},"status":{"replicas":1}}`,
	}
	for i, object := range objects {
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON([]byte(`{"apiVersion":"` + object.GetAPIVersion() + `","kind":"` + object.GetKind() + `",` + live[i][1:])); err != nil {
			t.Fatal(err)
		}
		if diff := apply.Diff(object, u); diff != "" {
			t.Errorf("%s differs at %s", object, diff)
		}
	}
}

func TestOneLine(t *testing.T) {
	in := "values don't meet the specifications of the schema(s) in the following chart(s):\nmodule:\n- at '/greeting': maxLength: got 30, want 20\n- at '': missing property 'x'\n"
	want := "at '/greeting': maxLength: got 30, want 20; at '': missing property 'x'"
	if got := oneLine(in); got != want {
		t.Errorf("oneLine = %q, want %q", got, want)
	}
}
