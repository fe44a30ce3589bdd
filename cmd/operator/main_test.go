package main

import (
	"slices"
	"testing"
)

func TestLists(t *testing.T) {
	f, err := parse([]string{"--postgres-image=x", "--namespace=n", "--pod-cidrs=10.244.0.0/16, fd00::/48", "--allowed-registries="})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(f.podCIDRs, []string{"10.244.0.0/16", "fd00::/48"}) || len(f.registries) != 0 {
		t.Errorf("podCIDRs %q, registries %q", f.podCIDRs, f.registries)
	}
	for _, wrong := range []string{"--pod-cidrs=10.244.0.0", "--allowed-registries=https://ghcr.io", "--gateway=public", "--gateway=/public"} {
		if _, err := parse([]string{"--postgres-image=x", "--namespace=n", wrong}); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}
