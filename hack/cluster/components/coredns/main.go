// Command coredns is CoreDNS with the plugins the local cluster's Corefile
// names and no others: the full list takes minutes to build and brings in the
// SDKs of several clouds.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
)

func main() {
	// The order in which a query passes through the plugins.
	dnsserver.Directives = []string{"errors", "health", "ready", "reload", "cache", "kubernetes"}
	coremain.Run()
}
