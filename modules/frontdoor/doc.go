// Package frontdoor is the one way for people into a tenant. It stands in the
// tenant's own namespace, so that a country's traffic is decrypted only inside its
// own walls: no shared ingress holds the keys of all countries. It answers under
// the tenant's domain and passes requests to the modules over mutual TLS.
//
// It decides nothing about who may see what: that is for the modules.
package frontdoor
