// Command vault is HashiCorp's Vault server for the local cluster.
//
// It is licensed under the Business Source License 1.1: it is built on the
// machine that runs the demo and the tests, and never shipped. What this project
// ships speaks only the Vault API, so that a country points it at a server of
// its own; nothing of the operator or the modules imports this module.
package main

import (
	"os"

	"github.com/hashicorp/vault/command"
)

func main() { os.Exit(command.Run(os.Args[1:])) }
