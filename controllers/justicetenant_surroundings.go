package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ejustice.dev/operator/internal/catalog"
	"ejustice.dev/operator/internal/tenancy"
)

// readSurroundings finds what the tenant's frame depends on besides the tenant.
func (r *JusticeTenantReconciler) readSurroundings(ctx context.Context, s *tenantSnapshot) error {
	if err := r.readClasses(ctx, s); err != nil {
		return err
	}
	apiserver, err := r.apiserver(ctx)
	if err != nil {
		return err
	}
	registries := append([]string{catalog.RegistryOf(r.PostgresImage)}, r.Registries...)
	registries = append(registries, s.registries...)
	slices.Sort(registries)
	s.surroundings = tenancy.Surroundings{
		OperatorNamespace: r.OperatorNamespace,
		StorageClasses:    s.classes.AtHome(s.tenant.Jurisdictions()),
		Registries:        slices.Compact(registries),
		APIServer:         apiserver,
		VaultAuthority:    r.Vault.Access().Authority,
		CertManager:       r.CertManager,
	}
	return nil
}

// apiserver reads where the API server answers: the database's instances talk to it, and
// policies know addresses, not the Service's name.
func (r *JusticeTenantReconciler) apiserver(ctx context.Context) ([]tenancy.Address, error) {
	slice := &discoveryv1.EndpointSlice{}
	if err := r.Live.Get(ctx, client.ObjectKey{Namespace: "default", Name: "kubernetes"}, slice); err != nil {
		return nil, fmt.Errorf("reading the API server's addresses: %w", err)
	}
	var addresses []tenancy.Address
	for _, endpoint := range slice.Endpoints {
		for _, ip := range endpoint.Addresses {
			for _, port := range slice.Ports {
				if port.Port != nil {
					addresses = append(addresses, tenancy.Address{IP: ip, Port: int64(*port.Port)})
				}
			}
		}
	}
	slices.SortFunc(addresses, func(a, b tenancy.Address) int {
		return cmp.Or(cmp.Compare(a.IP, b.IP), cmp.Compare(a.Port, b.Port))
	})
	return addresses, nil
}
