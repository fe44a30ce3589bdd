package catalog

import "testing"

func TestRegistryOf(t *testing.T) {
	for ref, want := range map[string]string{
		"registry.example.org/a/b@sha256:1": "registry.example.org",
		"10.0.0.1:5000/a@sha256:1":          "10.0.0.1:5000",
		"localhost/a@sha256:1":              "localhost",
		"library/a@sha256:1":                "docker.io",
		"a@sha256:1":                        "docker.io",
	} {
		if got := RegistryOf(ref); got != want {
			t.Errorf("RegistryOf(%s) = %s, want %s", ref, got, want)
		}
	}
}
