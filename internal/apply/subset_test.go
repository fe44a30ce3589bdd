package apply

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func decode(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSubset(t *testing.T) {
	tests := []struct{ name, desired, live, want string }{
		{"equal", `{"a":{"b":1}}`, `{"a":{"b":1}}`, ""},
		{"live has more", `{"a":1}`, `{"a":1,"b":2}`, ""},
		{"live lacks a key", `{"a":{"b":1}}`, `{"a":{}}`, ".a.b"},
		{"other value", `{"a":"x"}`, `{"a":"y"}`, ".a"},
		{"other type", `{"a":"1"}`, `{"a":1}`, ".a"},
		{"map wanted", `{"a":{"b":1}}`, `{"a":1}`, ".a"},
		{"list wanted", `{"a":[1]}`, `{"a":1}`, ".a"},
		{"empty asks for nothing", `{"a":{},"b":[],"c":null}`, `{}`, ""},
		{"false is asked for", `{"a":false}`, `{}`, ".a"},
		{"zero is asked for", `{"a":0}`, `{}`, ".a"},
		{"integer and float are one number", `{"a":1.0}`, `{"a":1}`, ""},
		{"list in order", `{"a":[1,2]}`, `{"a":[2,1]}`, ".a[0]"},
		{"list longer", `{"a":[1]}`, `{"a":[1,2]}`, ".a"},
		{"list shorter", `{"a":[1,2]}`, `{"a":[1]}`, ".a"},
		{"items gain defaults", `{"a":[{"port":1}]}`, `{"a":[{"port":1,"protocol":"TCP"}]}`, ""},
		{"named items in any order, with more", `{"a":[{"name":"x","v":1}]}`, `{"a":[{"name":"w"},{"name":"x","v":1,"d":2}]}`, ""},
		{"named item differs", `{"a":[{"name":"x","v":1}]}`, `{"a":[{"name":"x","v":2}]}`, ".a[x].v"},
		{"named item is missing", `{"a":[{"name":"x","v":1}]}`, `{"a":[{"name":"y","v":1}]}`, ".a[x]"},
		{"repeated names are compared in order", `{"a":[{"name":"x"},{"name":"x"}]}`, `{"a":[{"name":"x"}]}`, ".a"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := Subset(decode(t, tc.desired), decode(t, tc.live)); got != tc.want {
				t.Errorf("Subset = %q, want %q", got, tc.want)
			}
		})
	}
}

// Whatever is compared: every value contains itself, what is added to live does not matter,
// and no pair of values makes it panic.
func FuzzSubset(f *testing.F) {
	f.Add(`{"a":[{"name":"x","v":1},{"name":"y"}],"b":{"c":null}}`, `{"a":[1,"2",true]}`)
	f.Add(`[[],{},0]`, `{"":{}}`)
	f.Fuzz(func(t *testing.T, one, two string) {
		var a, b any
		if json.Unmarshal([]byte(one), &a) != nil || json.Unmarshal([]byte(two), &b) != nil {
			t.Skip("not JSON")
		}
		if diff := Subset(a, a); diff != "" {
			t.Errorf("%s lacks %s of itself", one, diff)
		}
		first := Subset(a, b)
		if first != Subset(a, b) {
			t.Error("two answers to one question")
		}
		if live, ok := b.(map[string]any); ok && first == "" {
			live["something else"] = "added"
			if diff := Subset(a, live); diff != "" {
				t.Errorf("an added key makes %s lack %s", two, diff)
			}
		}
	})
}

func TestDiffSeesRemovedFields(t *testing.T) {
	with := FromContent(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "x"}, "data": map[string]any{"a": "1", "b": "2"}})
	without := FromContent(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "x"}, "data": map[string]any{"a": "1"}})
	live := &unstructured.Unstructured{Object: with.DeepCopy().Object}
	if diff := Diff(with, live); diff != "" {
		t.Errorf("what was applied differs at %s", diff)
	}
	if Diff(without, live) == "" {
		t.Error("a field that is no longer wanted goes unnoticed")
	}
	if Diff(with, nil) == "" {
		t.Error("a missing object goes unnoticed")
	}
}

// An added rule in a network policy opens a way: it counts as a difference.
func TestDiffSeesAddedNetworkRules(t *testing.T) {
	want := FromContent(map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": map[string]any{"name": "deny"},
		"spec": map[string]any{"podSelector": map[string]any{}, "ingress": []any{}, "egress": []any{}},
	})
	live := &unstructured.Unstructured{Object: want.DeepCopy().Object}
	unstructured.RemoveNestedField(live.Object, "spec", "ingress") // as the API server keeps an empty list
	if diff := Diff(want, live); diff != "" {
		t.Errorf("what was applied differs at %s", diff)
	}
	live.Object["spec"].(map[string]any)["ingress"] = []any{map[string]any{}}
	if Diff(want, live) == "" {
		t.Error("a way that somebody opened goes unnoticed")
	}
}
