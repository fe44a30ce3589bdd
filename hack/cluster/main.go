// Command cluster brings up a real Kubernetes of several nodes on this one Linux
// host, shows how it is, and takes it away again without a trace.
//
//	cluster up      everything the operator stands on; safe to repeat
//	cluster down    end what up started and remove what it left
//	cluster status  what runs, and the last log lines of what does not
//	cluster env     shell lines that point kubectl and tests at the cluster
//	cluster assets  build only what tests outside a cluster need
//	cluster vault-root
//	                make a root token of the local Vault and print it; whoever
//	                asks for it revokes it: vault token revoke -self
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const commands = "up, down, status, env, assets, vault-root"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("say one of: " + commands)
	}
	c, err := newCluster()
	if err != nil {
		return err
	}
	switch args[0] {
	case "up":
		return c.up(ctx)
	case "down":
		return c.down(ctx)
	case "status":
		return c.status()
	case "env":
		return c.printEnv()
	case "assets":
		return c.buildAssets(ctx)
	case "vault-root":
		return printRootToken(ctx)
	}
	return fmt.Errorf("unknown command %q: say one of %s", args[0], commands)
}
