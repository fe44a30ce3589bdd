// Package e2e tries the whole platform on the cluster that KUBECONFIG names, with
// nothing simulated. Run it with make test, or make test-e2e once the operator is
// deployed.
package e2e
