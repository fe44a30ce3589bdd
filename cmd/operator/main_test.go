package main

import (
	"slices"
	"testing"
)

func TestLists(t *testing.T) {
	required := []string{"--postgres-image=x", "--namespace=n", "--vault-address=https://vault.example"}
	f, err := parse(append(required, "--pod-cidrs=10.244.0.0/16, fd00::/48", "--allowed-registries=", "--gateway=edge/public"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(f.podCIDRs, []string{"10.244.0.0/16", "fd00::/48"}) || len(f.registries) != 0 || f.gateway != [2]string{"edge", "public"} {
		t.Errorf("podCIDRs %q, registries %q, gateway %q", f.podCIDRs, f.registries, f.gateway)
	}
	for _, wrong := range []string{"--pod-cidrs=10.244.0.0", "--allowed-registries=https://ghcr.io", "--gateway=public", "--gateway=/public"} {
		if _, err := parse(append(required, wrong)); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}
