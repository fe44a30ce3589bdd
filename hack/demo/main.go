// Command demo does the platform's main job once: it applies a real country's
// manifest, waits until the tenant is Ready, files that country's sample cases,
// and says where to look. Doing it again changes nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"ejustice.dev/operator/api/v1alpha1"
	"ejustice.dev/operator/hack/tenant"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func main() {
	country := flag.String("country", "palestine", "which of config/samples to run: palestine, cote-divoire or saint-lucia")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *country); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, country string) error {
	c, err := tenant.Connect()
	if err != nil {
		return err
	}
	var t v1alpha1.JusticeTenant
	if err := tenant.Read("config/samples/"+country+".yaml", &t); err != nil {
		return err
	}
	cases, err := tenant.ReadCases("config/samples/cases/" + country + ".json")
	if err != nil {
		return err
	}
	begin := time.Now()
	progress := func(what string) { fmt.Printf("  %5.1fs  %s\n", time.Since(begin).Seconds(), what) }

	progress("applying config/samples/" + country + ".yaml")
	if err := c.Apply(ctx, &t); err != nil {
		return err
	}
	if err := c.AwaitReady(ctx, t.Name, 5*time.Minute, progress); err != nil {
		return fmt.Errorf("%w; look at it with: kubectl describe justicetenant %s", err, t.Name)
	}
	namespace := v1alpha1.NamespaceFor(t.Name)
	cm, done, err := c.FrontDoor(ctx, namespace)
	if err != nil {
		return err
	}
	defer done()
	if err := fileAll(ctx, cm, cases); err != nil {
		return err
	}
	progress(fmt.Sprintf("%d cases are on file", len(cases.Cases)))
	return sayWhereToLook(ctx, c, namespace)
}

// fileAll hands in each case that is not on file yet.
func fileAll(ctx context.Context, cm *tenant.CaseManagement, cases *tenant.Cases) error {
	onFile := map[string]*tenant.Case{}
	existing, err := cm.List(ctx, "")
	if err != nil {
		return fmt.Errorf("listing what is on file: %w", err)
	}
	for i := range existing {
		onFile[existing[i].CourtCode+existing[i].Title] = &existing[i]
	}
	for i, filing := range cases.Cases {
		filed := onFile[filing.CourtCode+filing.Title]
		if filed == nil {
			if filed, err = cm.File(ctx, fmt.Sprintf("sample-%s-%d", cases.Tenant, i), filing); err != nil {
				return fmt.Errorf("filing case %d: %w", i+1, err)
			}
		}
		if filing.Register && filed.RegistrationNumber == "" {
			if filed, err = cm.Register(ctx, filed.ID); err != nil {
				return fmt.Errorf("registering case %d: %w", i+1, err)
			}
		}
		fmt.Printf("          %-24s %-20s %s\n", filed.FilingNumber, filed.RegistrationNumber, filed.Title)
	}
	return nil
}

func sayWhereToLook(ctx context.Context, c *tenant.Cluster, namespace string) error {
	address, err := addressOf(ctx, c, namespace)
	if err != nil {
		return err
	}
	site, err := c.PublicSite(ctx, namespace)
	if err != nil {
		return err
	}
	const authority = "_artifacts/demo-authority.pem"
	if err := os.WriteFile(authority, site.Authority, 0o644); err != nil {
		return fmt.Errorf("writing the authority of the public certificate: %w", err)
	}
	fmt.Printf("\nWhere to look: https://%s/\n", site.Domain)
	if reachable(net.JoinHostPort(address, "443")) {
		fmt.Printf("  curl --cacert %s --resolve %s:443:%s https://%[2]s/api/v1/cases\n", authority, site.Domain, address)
		fmt.Printf("  for a browser on this machine: echo '%s %s' >> /etc/hosts, and let it trust %s\n", address, site.Domain, authority)
	}
	fmt.Printf(`  from anywhere: kubectl -n %s port-forward service/%s 8443:443, and the name in the hosts file as 127.0.0.1
Case management asks nobody to sign in yet: whoever reaches this address reads everything. File no real case.

What to try next (in a shell with: eval "$(make -s env)"):
  kubectl get justicetenants
  kubectl -n %[1]s get courtmodules,pods,certificates
  kubectl annotate justicetenant --all ejustice.dev/rotate=$(date +%%F)     new keys, credentials and certificates
  kubectl -n %[1]s delete courtmodule casemanagement     the tenant brings it back, with every case
  make demo COUNTRY=cote-divoire
`, namespace, v1alpha1.ModuleFrontDoor)
	return nil
}

// addressOf is the Gateway's address, the same for all tenants; without a Gateway that of the
// tenant's own front door.
func addressOf(ctx context.Context, c *tenant.Cluster, namespace string) (string, error) {
	address, err := c.GatewayAddress(ctx, namespace)
	if err != nil || address != "" {
		return address, err
	}
	var service corev1.Service
	err = c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1alpha1.ModuleFrontDoor}, &service)
	return service.Spec.ClusterIP, err
}

// reachable says whether this machine has a route to the cluster's services, as
// the host of the local cluster does.
func reachable(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		conn.Close()
	}
	return err == nil
}
